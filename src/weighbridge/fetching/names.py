"""Resolves the host names in addresses that strangers wrote, in threads of its own.

A name server that never answers blocks a thread for as long as the system waits for it; the threads
of the rest of the program must not be blocked so.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver
from typing_extensions import override

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult


class ThreadedNames(AbstractResolver):
    """The system's resolver, run in threads; it resolves at most `threads` names at a time."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads,
            partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM),
        )
        return [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": port,
                "family": kind,
                "proto": protocol,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for kind, _, protocol, _, address in found
        ]

    @override
    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
