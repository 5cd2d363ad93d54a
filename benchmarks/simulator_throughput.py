"""How many calls per second the simulated provider answers, with no latency and no limits.

    python -m benchmarks.simulator_throughput [--calls 1500] [--concurrency 64]

Real requests of the three steps over the sample catalogue, five products a call, in three ways: in
process through ASGI with raw bodies, in process under the real SDK, and over a socket to a uvicorn
server with a raw client (a bare asyncio one, so that the client is not what is measured). Every
figure is `simulated`: it is the ceiling that the simulator puts on a run, and says nothing about a
real provider.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI

from benchmarks.harness import cpu_s
from weighbridge.clock import SystemClock
from weighbridge.domain.answers import Subject
from weighbridge.domain.calls import CallReply, FinishReason, Remaining, Usage
from weighbridge.domain.products import Product
from weighbridge.factor_sources.bundled import BundledFactors, load_taxonomy
from weighbridge.simulator.answering.analyst import Analyst, find_products
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import SimulatorConfig
from weighbridge.steps import build_questions

CATALOGUE = Path(__file__).parents[1] / "examples" / "catalogue.csv"
SERVER = (
    "import sys; from weighbridge.simulator.app import serve; from weighbridge.simulator.config "
    "import SimulatorConfig; serve(SimulatorConfig(), port=int(sys.argv[1]))"
)
GROUP_SIZE = 5


def bodies() -> list[dict[str, Any]]:
    """The requests of all steps for the sample catalogue."""
    with CATALOGUE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    subjects = [
        Subject(
            Product(row["code"], row["name"], row["description"], float(row["weight"] or 0) or None)
        )
        for row in rows
    ]
    questions = build_questions(BundledFactors().load().vocabulary(load_taxonomy()))
    found = []
    for start in range(0, len(subjects), GROUP_SIZE):
        group = subjects[start : start + GROUP_SIZE]
        for question in questions.alone:
            request = question.request(group, 4000)
            schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
            found.append(
                {  # in the order of our own provider
                    "response_format": {"type": "json_schema", "json_schema": schema},
                    "model": "gpt-4.1-mini",
                    "messages": [
                        {"role": "system", "content": request.instructions},
                        {"role": "user", "content": request.content},
                    ],
                    "max_completion_tokens": request.max_output_tokens,
                }
            )
            answer = Analyst(request.schema).answer(find_products(request.content), 0)
            reply = CallReply(
                json.dumps(answer), FinishReason.STOP, Usage(0, 0), Remaining(), "simulated"
            )
            accepted = question.accept(reply, group)
            group = [
                Subject(
                    subject.product,
                    {**subject.answers, **accepted.answers[subject.product.code]},
                )
                for subject in group
            ]
    return found


def numbered(body: dict[str, Any], number: int) -> dict[str, Any]:
    """The same request about other products: new to the simulator, as every product once is."""
    content = body["messages"][1]["content"].replace('"code":"', f'"code":"{number}-')
    return {**body, "messages": [body["messages"][0], {"role": "user", "content": content}]}


async def shared_out(calls: int, concurrency: int, call: Any) -> float:
    """Seconds that the calls take with so many at a time."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            await call(number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return time.perf_counter() - started


async def raw_in_process(requests: list[bytes], concurrency: int) -> float:
    app = create_app(SimulatorConfig(), SystemClock())
    headers = [(b"authorization", b"Bearer any")]

    async def call(number: int) -> None:
        body, statuses = requests[number], []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": headers,
        }
        await app(scope, receive, send)
        assert statuses[0] == 200

    return await shared_out(len(requests), concurrency, call)


async def sdk_in_process(requests: list[dict[str, Any]], concurrency: int) -> float:
    app = create_app(SimulatorConfig(), SystemClock())
    http_client = httpx2.AsyncClient(transport=app.transport())
    async with AsyncOpenAI(
        api_key="any",
        base_url="http://simulator.invalid/v1",
        http_client=http_client,
        max_retries=0,
    ) as client:

        async def call(number: int) -> None:
            reply = await client.chat.completions.create(**requests[number])
            assert reply.choices[0].finish_reason == "stop"

        return await shared_out(len(requests), concurrency, call)


async def over_a_socket(requests: list[bytes], concurrency: int) -> float:
    """Prints what the server itself took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(port))
    try:
        await _wait_for(port)
        idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        async def call(number: int) -> None:
            reader, writer = (
                idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
            )
            body = requests[number]
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer any\r\n"
            writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in answer[:16]
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            idle.append((reader, writer))

        await call(0)  # the tokenizer is loaded on first use
        before_s = cpu_s(server.pid)
        spent = await shared_out(len(requests), concurrency, call)
        cpu_ms = 1000 * (cpu_s(server.pid) - before_s) / len(requests)
        print(f"simulated: uvicorn, raw sockets: CPU of the server {cpu_ms:.3f} ms a call")
        for _, writer in idle:
            writer.close()
        return spent
    finally:
        server.terminate()
        await server.wait()


async def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not start")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--concurrency", type=int, default=64)
    arguments = parser.parse_args()
    samples = bodies()
    # Three steps ask about the same products, one after the other.
    requests = [numbered(samples[n % len(samples)], n // 3) for n in range(arguments.calls)]
    encoded = [
        json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        for request in requests
    ]
    asyncio.run(raw_in_process(encoded[:30], 1))  # loads the tokenizer
    mean_kb = sum(map(len, encoded)) / len(encoded) / 1000
    print(f"simulated: {len(encoded)} calls of {GROUP_SIZE} products, {mean_kb:.1f} kB a request")
    for name, measurement in (
        ("in process, raw ASGI", raw_in_process(encoded, arguments.concurrency)),
        ("in process, real SDK", sdk_in_process(requests, arguments.concurrency)),
        ("uvicorn, raw sockets", over_a_socket(encoded, arguments.concurrency)),
    ):
        cpu_started_s = time.process_time()
        spent_s = asyncio.run(measurement)
        cpu_ms = 1000 * (time.process_time() - cpu_started_s) / len(encoded)
        rate = len(encoded) / spent_s
        print(f"simulated: {name}: {rate:6.0f} calls/s; CPU of this process {cpu_ms:.3f} ms a call")


if __name__ == "__main__":
    main()
