"""The simulator has the shapes of OpenAI's HTTP: the real SDK reads them, and limits, faults and
batches behave.

The SDK's own models parse every answer here; what our provider makes of them is in
`test_simulated_provider.py`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from PIL import Image

from tests.support.application import until
from tests.support.ports import free_port
from weighbridge.clock import ScaledClock, SystemClock
from weighbridge.simulator.app import Simulator, create_app
from weighbridge.simulator.config import SimulatorConfig, parse_faults
from weighbridge.simulator.models import ModelLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from openai.types.chat import ChatCompletion

pytestmark = pytest.mark.anyio

MODEL = "gpt-4.1-mini"
URL = "http://simulator.invalid/v1"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "products": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "material": {"type": "string", "enum": ["steel", "cotton", "plastic"]},
                    "mass_kg": {"type": "number"},
                },
                "required": ["code", "material", "mass_kg"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["products"],
    "additionalProperties": False,
}
NAMES = ("Steel bolt", "Cotton T-shirt", "Plastic crate")


def body(
    *names: str, instructions: str = "Say what it is made of.", allowance: int = 1000, **others: Any
) -> dict[str, Any]:
    """A request about products with these names."""
    products = [
        {"code": f"P-{number}", "name": name, "description": "", "weight_kg": 2.0}
        for number, name in enumerate(names)
    ]
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": instructions},
            {
                "role": "user",
                "content": f"<products>\n{json.dumps({'products': products})}\n</products>",
            },
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "materials", "strict": True, "schema": SCHEMA},
        },
        "max_completion_tokens": allowance,
        **others,
    }


@asynccontextmanager
async def sdk(
    config: SimulatorConfig, *, factor: float = 1.0, timeout_s: float = 60.0, key: str = "any"
) -> AsyncIterator[tuple[AsyncOpenAI, Simulator]]:
    """The real SDK with the simulator for a network; `factor` times as fast as the machine's
    clock.
    """
    app = create_app(config, SystemClock() if factor == 1 else ScaledClock(factor))
    async with AsyncOpenAI(
        api_key=key,
        base_url=URL,
        http_client=httpx2.AsyncClient(transport=app.transport()),
        max_retries=0,
        timeout=timeout_s,
    ) as client:
        yield client, app


async def ask(config: SimulatorConfig, request: dict[str, Any], **how: Any) -> ChatCompletion:
    async with sdk(config, **how) as (client, _):
        reply: ChatCompletion = await client.chat.completions.create(**request)
        return reply


def rows(reply: ChatCompletion) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reply.choices[0].message.content or "")["products"]
    return found


async def test_sdk_reads_a_reply_with_usage_and_simulator_marks() -> None:
    async with sdk(SimulatorConfig()) as (client, _):
        raw = await client.chat.completions.with_raw_response.create(**body(*NAMES))
    reply = raw.parse()
    assert [row["material"] for row in rows(reply)] == ["steel", "cotton", "plastic"]
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == MODEL
    assert reply.system_fingerprint == "simulated"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert raw.headers["x-weighbridge-simulated"] == "true"
    assert raw.headers["x-request-id"].startswith("req_")


async def test_works_with_the_http_clients_own_asgi_transport() -> None:
    app = create_app(SimulatorConfig(), SystemClock())
    http_client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app))
    async with AsyncOpenAI(api_key="any", base_url=URL, http_client=http_client) as client:
        reply = await client.chat.completions.create(**body(*NAMES))
    assert len(rows(reply)) == 3


async def test_lists_and_retrieves_models() -> None:
    async with sdk(SimulatorConfig()) as (client, _):
        assert MODEL in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve(MODEL)).id == MODEL
        with pytest.raises(openai.NotFoundError) as failure:
            await client.models.retrieve("gpt-0")
    assert failure.value.code == "model_not_found"


async def test_headers_report_limits_and_remaining_quota() -> None:
    config = SimulatorConfig(requests_per_minute=60, tokens_per_minute=100_000)
    async with sdk(config) as (client, app):
        raw = await client.chat.completions.with_raw_response.create(**body("Steel bolt"))
    charged = app.books.admitted_tokens
    usage = raw.parse().usage
    assert usage is not None
    assert charged == usage.prompt_tokens + 1000
    assert raw.headers["x-ratelimit-limit-requests"] == "60"
    assert raw.headers["x-ratelimit-remaining-requests"] == "59"
    assert raw.headers["x-ratelimit-reset-requests"] == "1s"
    assert raw.headers["x-ratelimit-limit-tokens"] == "100000"
    assert raw.headers["x-ratelimit-remaining-tokens"] == str(100_000 - charged)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (SimulatorConfig(requests_per_minute=2), "requests"),
        (SimulatorConfig(tokens_per_minute=2500), "tokens"),
    ],
)
async def test_a_call_over_the_limit_gets_a_retry_time(config: SimulatorConfig, kind: str) -> None:
    async with sdk(config) as (client, app):
        for name in ("a", "b"):
            await client.chat.completions.create(**body(name))
        with pytest.raises(openai.RateLimitError) as failure:
            await client.chat.completions.create(**body("c"))
    error = failure.value
    assert (error.code, error.type) == ("rate_limit_exceeded", kind)
    wait = re.search(r"Please try again in ([\d.]+)(ms|s)\.", error.message)
    assert wait is not None
    wait_ms = float(wait[1]) * (1 if wait[2] == "ms" else 1000)
    assert float(error.response.headers["retry-after-ms"]) == pytest.approx(wait_ms)
    assert int(error.response.headers["retry-after"]) == -(-wait_ms // 1000)
    assert app.books.refused == {kind: 1}
    assert app.books.admitted == 2


async def _ask_for_ever(client: AsyncOpenAI) -> None:
    """The second call is one too many, unless the machine takes as long for it as the quota."""
    while True:
        await client.chat.completions.create(**body("a"))


async def test_a_call_retried_in_time_is_admitted() -> None:
    async with sdk(SimulatorConfig(requests_per_minute=60, burst_s=1), factor=20) as (client, app):
        with pytest.raises(openai.RateLimitError) as failure:
            await _ask_for_ever(client)
        admitted = app.books.admitted
        wait_s = float(failure.value.response.headers["retry-after-ms"]) / 1000
        await app.account.clock.sleep(wait_s + 0.05)
        await client.chat.completions.create(**body("b"))
    assert app.books.admitted == admitted + 1


async def test_a_call_above_the_minute_limit_gets_its_own_error() -> None:
    with pytest.raises(
        openai.RateLimitError, match=r"Request too large .* Limit 500, Requested \d+"
    ):
        await ask(SimulatorConfig(tokens_per_minute=500), body("a"))


async def test_repeated_prefixes_are_cached_in_steps_of_128_tokens() -> None:
    request = body("a", instructions="Consider the material carefully. " * 300)
    async with sdk(SimulatorConfig()) as (client, _):
        first = await client.chat.completions.create(**request)
        second = await client.chat.completions.create(
            **body("b", instructions=request["messages"][0]["content"])
        )
        short = await client.chat.completions.create(**body("b"))
        short_again = await client.chat.completions.create(**body("c"))
    cached = []
    for reply in (first, second, short, short_again):
        assert reply.usage is not None
        assert reply.usage.prompt_tokens_details is not None
        cached.append(reply.usage.prompt_tokens_details.cached_tokens)
    assert cached[0] == cached[2] == cached[3] == 0
    assert cached[1] is not None
    assert cached[1] >= 1024
    assert cached[1] % 128 == 0


async def test_a_reply_longer_than_allowed_is_truncated() -> None:
    reply = await ask(SimulatorConfig(), body(*NAMES, allowance=20))
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 20
    with pytest.raises(json.JSONDecodeError):
        rows(reply)


BROKEN_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "x", "strict": True, "schema": {"type": "object", "properties": {}}},
}


@pytest.mark.parametrize(
    ("request_body", "code", "message"),
    [
        ({**body("a"), "response_format": BROKEN_SCHEMA}, None, "additionalProperties"),
        ({**body("a"), "messages": []}, None, "non-empty array"),
        ({**body("a"), "max_completion_tokens": 40_000}, None, "at most 32768"),
        (body("word " * 1_000, allowance=500), "context_length_exceeded", "maximum context length"),
        ({**body("a"), "heat": 1}, None, "heat"),
    ],
)
async def test_invalid_requests_are_refused_at_no_cost(
    request_body: dict[str, Any], code: str | None, message: str
) -> None:
    config = SimulatorConfig(models={MODEL: ModelLimits(1_200, 32_768)})
    async with sdk(config) as (client, app):
        with pytest.raises(openai.BadRequestError, match=message) as failure:
            await client.post("/chat/completions", body=request_body, cast_to=httpx2.Response)
    assert failure.value.code == code
    assert app.books.admitted == 0


async def test_a_body_that_is_not_json_is_refused() -> None:
    async with sdk(SimulatorConfig()) as (client, _):
        with pytest.raises(openai.BadRequestError, match="could not parse"):
            await client.post("/chat/completions", content=b"{", cast_to=httpx2.Response)


async def test_a_wrong_key_is_401_and_a_wrong_model_404() -> None:
    with pytest.raises(openai.AuthenticationError) as failure:
        await ask(SimulatorConfig(api_key="right"), body("a"), key="wrong")
    assert failure.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as missing:
        await ask(SimulatorConfig(), {**body("a"), "model": "gpt-0"})
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("faults", "error", "status"),
    [
        ("rate=1", openai.RateLimitError, 429),
        ("error500=1", openai.InternalServerError, 500),
        ("html=1", openai.InternalServerError, 502),
        ("outage=0-60", openai.InternalServerError, 503),
    ],
)
async def test_service_faults_have_the_right_status(
    faults: str, error: type[openai.APIStatusError], status: int
) -> None:
    with pytest.raises(error) as failure:
        await ask(SimulatorConfig(faults=parse_faults(faults)), body("a"))
    assert failure.value.status_code == status


async def test_a_dropped_connection_is_a_connection_error() -> None:
    with pytest.raises(openai.APIConnectionError) as failure:
        await ask(SimulatorConfig(faults=parse_faults("drop=1")), body("a"))
    assert not isinstance(failure.value, openai.APITimeoutError)


async def test_a_late_reply_hits_the_client_timeout() -> None:
    async with sdk(
        SimulatorConfig(faults=parse_faults("timeout=1")), factor=1000, timeout_s=30
    ) as (client, app):
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(**body("a"))
    assert app.books.abandoned == 1
    assert app.books.in_flight == 0
    assert app.books.completed == 0


def material_list(reply: ChatCompletion) -> list[str]:
    return [row["code"] for row in rows(reply)]


async def test_answer_faults_do_what_their_names_say() -> None:
    async def answered(faults: str) -> ChatCompletion:
        return await ask(SimulatorConfig(faults=parse_faults(faults)), body(*NAMES))

    good = rows(await answered(""))
    assert len(material_list(await answered("missing=1"))) == 2
    foreign = material_list(await answered("foreign=1"))
    assert len(set(foreign) - {"P-0", "P-1", "P-2"}) == 1
    doubled = material_list(await answered("doubled=1"))
    assert (len(doubled), len(set(doubled))) == (4, 3)
    heavy = rows(await answered("implausible=1"))
    changed = [new["mass_kg"] / old["mass_kg"] for old, new in zip(good, heavy, strict=True)]
    assert sorted(changed) == [1, 1, 1000]
    with pytest.raises(json.JSONDecodeError):
        rows(await answered("malformed=1"))
    assert (await answered("truncate=1")).choices[0].finish_reason == "length"
    assert (await answered("filter=1")).choices[0].finish_reason == "content_filter"
    refused = (await answered("refuse=1")).choices[0].message
    assert refused.content is None
    assert refused.refusal


async def test_same_seed_gives_same_faults_in_any_order() -> None:
    config = SimulatorConfig(seed=3, faults=parse_faults("missing=0.3,doubled=0.3"))
    names = [f"Steel bolt {number}" for number in range(12)]

    async def outcomes(order: list[str]) -> dict[str, str | None]:
        async with sdk(config) as (client, _):
            return {
                name: (await client.chat.completions.create(**body(name, "Crate")))
                .choices[0]
                .message.content
                for name in order
            }

    forwards = await outcomes(names)
    assert forwards == await outcomes(names[::-1])
    assert len({len(json.loads(text or "")["products"]) for text in forwards.values()}) > 1


async def test_poison_affects_only_its_own_product() -> None:
    found = rows(await ask(SimulatorConfig(), body("Steel bolt", "Crate POISON", "Cotton towel")))
    assert [sorted(row) for row in found] == [
        ["code", "mass_kg", "material"],
        ["code"],
        ["code", "mass_kg", "material"],
    ]
    cut = await ask(SimulatorConfig(), body("Steel bolt", "Crate POISON-TRUNCATE"))
    assert cut.choices[0].finish_reason == "length"
    refused = await ask(SimulatorConfig(), body("Steel bolt", "Crate POISON-REFUSE"))
    assert refused.choices[0].message.refusal


async def test_pictures_are_counted_or_refused() -> None:
    buffer = io.BytesIO()
    Image.new("L", (320, 320)).save(buffer, "png")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    def pictured(address: str) -> dict[str, Any]:
        request = body("Steel bolt")
        text = request["messages"][1]["content"]
        parts = [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": address}},
        ]
        request["messages"][1]["content"] = parts
        return request

    plain = await ask(SimulatorConfig(), body("Steel bolt"))
    seen = await ask(SimulatorConfig(), pictured(url))
    assert plain.usage is not None
    assert seen.usage is not None
    assert seen.usage.prompt_tokens - plain.usage.prompt_tokens == 162  # 100 patches × 1.62
    with pytest.raises(openai.BadRequestError) as failure:
        await ask(SimulatorConfig(), pictured("https://pictures.invalid/a.png"))
    assert failure.value.code == "invalid_image_url"
    with pytest.raises(openai.BadRequestError, match="does not support image"):
        await ask(SimulatorConfig(accepts_images=False), pictured(url))


async def test_latency_uses_the_clock_and_calls_overlap() -> None:
    async with sdk(SimulatorConfig(latency_s=2.0, latency_sigma=0.0), factor=4) as (client, app):
        started_s = app.account.clock.monotonic_s()
        await asyncio.gather(
            *(client.chat.completions.create(**body(f"Bolt {number}")) for number in range(10))
        )
        elapsed_s = app.account.clock.monotonic_s() - started_s
    assert elapsed_s >= 2.0
    assert app.books.max_in_flight == 10


async def test_an_abandoned_call_keeps_the_books_balanced() -> None:
    async with sdk(SimulatorConfig(latency_s=60)) as (client, app):
        call = asyncio.create_task(client.chat.completions.create(**body("a")))
        await until(lambda: app.books.in_flight == 1, "the call has arrived")
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()
    assert (app.books.in_flight, app.books.abandoned, app.books.completed) == (0, 1, 0)


async def test_books_are_readable_and_limits_changeable_during_a_run() -> None:
    async with sdk(SimulatorConfig(requests_per_minute=1)) as (client, app):
        http = httpx2.AsyncClient(transport=app.transport(), base_url="http://simulator.invalid")
        await client.chat.completions.create(**body("a"))
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(**body("b"))
        changed = await http.post("/simulator/config", json={"requests_per_minute": None})
        assert changed.json()["requests_per_minute"] is None
        for _ in range(2):
            await client.chat.completions.create(**body("b"))
        await http.post("/simulator/config", json={"outage_for_s": 60})
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(**body("c"))
        books = (await http.get("/simulator/books")).json()
        wrong = await http.post("/simulator/config", json={"speed": 3})
        await http.aclose()
    assert books["received"] == 5
    assert books["admitted"] == books["completed"] == 3
    assert books["rate_limited"] == 1
    assert books["statuses"] == {"200": 3, "429": 1, "503": 1}
    assert books["calls_by_schema"] == {"materials": 3}
    assert books["prompts_answered_twice"] == books["products_answered_twice"] == 1
    assert books["faults"] == {"outage": 1}
    assert wrong.status_code == 400
    assert "'speed' cannot be changed" in wrong.json()["error"]["message"]


async def test_a_batch_is_uploaded_processed_and_downloaded() -> None:
    lines = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": request,
        }
        for number, request in enumerate(
            [body("Steel bolt"), body("Cotton towel"), {"model": "gpt-0"}]
        )
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    async with sdk(SimulatorConfig(requests_per_minute=1), factor=600) as (client, app):
        file = await client.files.create(file=("in.jsonl", content), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        assert batch.status == "validating"
        while batch.status not in ("completed", "failed"):
            await asyncio.sleep(0.01)
            batch = await client.batches.retrieve(batch.id)
        assert batch.status == "completed"
        assert batch.output_file_id is not None
        assert batch.error_file_id is not None
        output = (await client.files.content(batch.output_file_id)).text
        errors = (await client.files.content(batch.error_file_id)).text
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed) == (3, 2)
    answers = {
        row["custom_id"]: json.loads(row["response"]["body"]["choices"][0]["message"]["content"])
        for row in map(json.loads, output.splitlines())
    }
    assert answers["line-1"]["products"][0]["material"] == "cotton"
    failed = json.loads(errors)
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("line-2", 404)
    assert app.books.admitted == 0


async def test_an_invalid_batch_file_fails_as_a_whole() -> None:
    async with sdk(SimulatorConfig()) as (client, _):
        file = await client.files.create(file=("in.jsonl", b'{"custom_id": 1}\nx'), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        while batch.status == "validating":
            await asyncio.sleep(0)
            batch = await client.batches.retrieve(batch.id)
    assert batch.status == "failed"
    assert batch.errors is not None
    assert [error.line for error in batch.errors.data or []] == [1, 2]


SERVER = """
import sys
from weighbridge.simulator.app import serve
from weighbridge.simulator.config import SimulatorConfig, parse_faults
serve(SimulatorConfig(requests_per_minute=1, faults=parse_faults(sys.argv[2])), port=int(sys.argv[1]))
"""


@pytest.fixture
def breaking_server() -> Iterator[str]:
    """A simulator of its own that drops every connection in the middle of the answer."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), "drop=1"], stderr=subprocess.PIPE
    )
    yield f"http://127.0.0.1:{port}/v1"
    server.terminate()
    _, complaints = server.communicate()
    assert complaints == b""


async def test_server_breaks_connections_without_logging_errors(breaking_server: str) -> None:
    async with AsyncOpenAI(api_key="any", base_url=breaking_server, max_retries=0) as client:

        async def listens() -> bool:
            with contextlib.suppress(openai.APIConnectionError):
                return bool(await client.models.list())
            return False

        await until(listens, "the server listens")
        with pytest.raises(openai.APIConnectionError) as failure:
            await client.chat.completions.create(**body("a"))
        assert isinstance(failure.value.__cause__, httpx2.RemoteProtocolError)
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(**body("b"))
