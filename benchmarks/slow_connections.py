"""5,000 slow connections and 300 MB of headers against a server of its own: are health checks
answered meanwhile?

    python -m benchmarks.slow_connections

Prints how long the health checks took, how many failed, and the most memory that the server had.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import tempfile
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


async def check(port: int) -> float | None:
    """Seconds until the answer; None without one."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            if b" 200 " in answer[:20]:
                return loop.time() - began_s
    return None


async def attack(port: int, server: psutil.Process) -> None:
    """Everything at once, and what became of it."""
    crowd = [
        asyncio.create_task(slow(port, HEADER_BYTES // CONNECTIONS)) for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(5)
    took: list[float | None] = []
    most_bytes = 0
    for _ in range(CHECKS):
        took.append(await check(port))
        most_bytes = max(most_bytes, server.memory_info().rss)
        await asyncio.sleep(0.2)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    answered = sorted(s for s in took if s is not None)
    middle, slowest = answered[len(answered) // 2], answered[-1]
    print(
        f"health checks answered: {len(answered)} of {CHECKS}; median {middle * 1000:.0f} ms, "
        f"slowest {slowest:.2f} s"
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
