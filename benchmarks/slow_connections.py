"""5,000 slow connections and 300 MB of headers against a server of its own: are health checks
answered meanwhile?

    python -m benchmarks.slow_connections

Prints how long the health checks took, why others failed, and the most memory that the server had.
The crowd works in a process of its own, so that it does not delay the checks themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
import tempfile
from collections import Counter
from pathlib import Path

import psutil

from tests.support.database import PostgresForTests
from tests.support.server_process import server_process

CONNECTIONS = 5_000
HEADER_BYTES = 300_000_000
CHUNK = b"X-Slow: " + b"x" * 8_000 + b"\r\n"
CHECKS = 60


async def slow(port: int, share: int) -> None:
    """Open a connection and send headers without end; begin again when it is closed."""
    sent = 0
    while sent < share:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                while sent < share:
                    writer.write(CHUNK)
                    await writer.drain()
                    sent += len(CHUNK)
                    await asyncio.sleep(0.05)
            finally:
                writer.close()
        await asyncio.sleep(0.5)


async def check(port: int) -> float | str:
    """Seconds until the answer, or why there was none."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    return loop.time() - began_s if b" 200 " in answer[:20] else repr(answer[:20])


async def crowd(port: int) -> None:
    """All slow connections at once."""
    share = HEADER_BYTES // CONNECTIONS
    await asyncio.gather(*(slow(port, share) for _ in range(CONNECTIONS)))


def run_crowd(port: int) -> None:
    """In a process of its own."""
    asyncio.run(crowd(port))


async def attack(port: int, server: psutil.Process) -> None:
    """Everything at once, and what became of it."""
    attackers = multiprocessing.get_context("spawn").Process(target=run_crowd, args=(port,))
    attackers.start()
    await asyncio.sleep(8)
    answered: list[float] = []
    failed: Counter[str] = Counter()
    most_bytes = 0
    for _ in range(CHECKS):
        result = await check(port)
        if isinstance(result, float):
            answered.append(result)
        else:
            failed[result] += 1
        most_bytes = max(most_bytes, server.memory_info().rss)
        await asyncio.sleep(0.2)
    attackers.kill()
    attackers.join()
    answered.sort()
    middle, slowest = answered[len(answered) // 2], answered[-1]
    print(
        f"health checks answered: {len(answered)} of {CHECKS}; median {middle * 1000:.0f} ms, "
        f"slowest {slowest:.2f} s; failed: {dict(failed)}"
    )
    print(f"the server's memory: {most_bytes / 1e6:.0f} MB at most")


def main() -> None:
    """Run it once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        postgres = PostgresForTests(Path(folder))
        try:
            url = postgres.create_database()
            with server_process(url, Path(folder)) as server:
                asyncio.run(attack(server.port, psutil.Process(server.process.pid)))
        finally:
            postgres.close()


if __name__ == "__main__":
    main()
