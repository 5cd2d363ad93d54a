"""A road to PostgreSQL that can be cut without a word, as a pulled cable or a stopped proxy
does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

SERVER_PORT = 5432


@dataclass(eq=False)
class StallingProxy:
    """Passes bytes between clients and the server's socket, until it stalls: then it takes them and
    says nothing.
    """

    url: str = ""
    _socket: str = ""
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _server_ends: list[asyncio.StreamWriter] = field(default_factory=list)
    _client_ends: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def stall(self) -> None:
        """Connections stay open, and nothing comes through any more; new ones are accepted and get
        nothing.
        """
        self._flowing.clear()

    def mend(self) -> None:
        """New connections work.

        The server has found out meanwhile that the old ones are dead; clients have not.
        """
        for writer in self._server_ends:
            writer.transport.abort()
        self._server_ends.clear()
        self._flowing = asyncio.Event()  # the old ones wait for the old event for ever
        self._flowing.set()

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._client_ends.append(to_client)
        self._begin(self._connect(client, to_client, self._flowing))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter, flowing: asyncio.Event
    ) -> None:
        await flowing.wait()
        server, to_server = await asyncio.open_unix_connection(self._socket)
        self._server_ends.append(to_server)
        self._begin(self._pass_on(client, to_server, flowing))
        self._begin(self._pass_on(server, to_client, flowing))

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                await flowing.wait()
                sink.write(data)
                await sink.drain()
        await flowing.wait()  # that an end has closed does not come through either
        sink.transport.abort()

    @asynccontextmanager
    async def opened(self, server_url: str) -> AsyncIterator[StallingProxy]:
        """Listen on a port of this machine; `url` leads to the database of `server_url`."""
        parts = urlsplit(server_url)
        (folder,) = parse_qs(parts.query)["host"]
        self._socket = f"{folder}/.s.PGSQL.{SERVER_PORT}"
        self._flowing.set()
        listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        who = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(
            ("postgresql", f"{who}@127.0.0.1:{port}", parts.path, "sslmode=disable", "")
        )
        try:
            yield self
        finally:
            listening.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in (*self._server_ends, *self._client_ends):
                writer.transport.abort()
            await asyncio.sleep(0)  # their sockets are closed in the next turn of the loop
