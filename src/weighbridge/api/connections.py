"""Limits on what a client may use of the server before its token is checked: connections, bytes of
headers, time.

A connection has a place until it ends. The number of places is limited for each address, and for
the whole server. A connection beyond that gets a spare place: only a health check is answered
there, and the oldest spare connection is closed when a new one needs its place. So health checks
are answered in spite of 5,000 slow connections, or of many from one address.

A refused client is told why. The kernel resets a connection that is closed while received bytes are
unread, and the answer is lost. So what is still arriving is read and dropped first, within bounds
(nginx calls this lingering close:
https://nginx.org/en/docs/http/ngx_http_core_module.html#lingering_close).
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from weighbridge.api.errors import problem_response

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_HEADER_BYTES: Final = 32_768
"""The most bytes of a request line and its headers together."""
MOST_HEADERS: Final = 100
HEAD_WITHIN_S: Final = 15.0
"""The longest time from the opening of the connection, or the first byte of a later request, to
the end of the headers.
"""
SPARE_HEAD_WITHIN_S: Final = 3.0
"""As `HEAD_WITHIN_S`, for a connection in one of the `SPARE_PLACES`."""
MOST_SPARE_HEAD_BYTES: Final = 4_096
"""As `MOST_HEADER_BYTES`, for a connection in one of the `SPARE_PLACES`: enough for a health check.
"""
BODY_SILENCE_S: Final = 30.0
"""The longest pause between two parts of a request's body; after it the request is refused."""
LEAST_BODY_RATE: Final = 500.0
"""A request whose body takes longer than `BODY_SILENCE_S` is refused if fewer bytes a second than
this arrive on average.
"""
MOST_DROPPED_BYTES: Final = 256_000_000
"""How many bytes that a client sends after it was answered are read and dropped; if more come, the
connection is aborted.
"""
DROPPING_WITHIN_S: Final = 120.0
"""The longest time for which bytes that come after the answer are read and dropped."""
DROPPING_SILENCE_S: Final = 15.0
"""The longest pause between bytes that come after the answer; after it the connection is closed."""
MOST_CONNECTIONS: Final = 700
"""How many connections, from all addresses together, may have an ordinary place at a time."""
MOST_PER_ADDRESS: Final = 400
"""How many connections from one address may have an ordinary place at a time."""
SPARE_PLACES: Final = 2_500
"""How many connections beyond `MOST_CONNECTIONS` are accepted, for health checks only: more than
arrive while one health check is read and answered.
"""
LEAST_SPARE_PLACES: Final = 64
"""The least number of connections accepted beyond the limit, for health checks, however few file
descriptors the process has.
"""
OTHER_FILES: Final = 300
"""How many file descriptors are kept free for everything but these connections: the database, the
provider, uploads.
"""
HEALTH_PATHS: Final = frozenset({b"/healthz", b"/readyz"})

_REFUSALS: Final[Mapping[int, tuple[str, str, str]]] = {
    400: (
        "malformed-request",
        "Bad Request",
        "The request is not valid HTTP/1.1; nothing was done.",
    ),
    408: (
        "too-slow",
        "Request Timeout",
        (
            "The request arrived too slowly. Its headers must arrive within "
            f"{HEAD_WITHIN_S:.0f} s, and its body at {LEAST_BODY_RATE:.0f} bytes a second or more, "
            f"with no pause of {BODY_SILENCE_S:.0f} s. Nothing was done; send it again."
        ),
    ),
    431: (
        "headers-too-large",
        "Request Header Fields Too Large",
        (
            f"The address and headers of a request may have at most {MOST_HEADER_BYTES:,} bytes "
            f"together, and at most {MOST_HEADERS} headers. Nothing was done."
        ),
    ),
    503: (
        "too-many-connections",
        "Service Unavailable",
        (
            "All connections that this server allows, in total or from your address, are in use. "
            "Nothing was done; close idle connections or try again later."
        ),
    ),
}
"""Requests that are refused before the application sees them: status → the name, title and detail
of the problem.
"""


class Places:
    """The connections of one server, by address: which have a place, and which a spare one."""

    def __init__(
        self,
        proxies: Sequence[Network] = (),
        *,
        most: int = MOST_CONNECTIONS,
        most_per_address: int = MOST_PER_ADDRESS,
        spare: int = LEAST_SPARE_PLACES,
    ) -> None:
        self._proxies = tuple(proxies)
        self._most = most
        self._most_per_address = most_per_address
        self._most_spare = spare
        self._of_address: Counter[str] = Counter()
        self._spare: OrderedDict[GuardedProtocol, None] = OrderedDict()

    def take(self, connection: GuardedProtocol, address: str) -> bool:
        """Give the connection a place. True: an ordinary one; False: a spare one, for which the
        oldest spare connection may be closed.
        """
        is_crowded = self._of_address[address] >= self._most_per_address and not self._is_proxy(
            address
        )
        if not is_crowded and self._of_address.total() < self._most:
            self._of_address[address] += 1
            return True
        if len(self._spare) >= self._most_spare:
            oldest, _ = self._spare.popitem(last=False)
            oldest.abort()
        self._spare[connection] = None
        return False

    def leave(self, connection: GuardedProtocol, address: str, *, had_place: bool) -> None:
        """Free the place of a connection that has ended."""
        if not had_place:
            self._spare.pop(connection, None)
            return
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]

    def _is_proxy(self, address: str) -> bool:
        """Whether it is a trusted proxy's address, which many clients share: it has no limit."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


class _LingeringTransport:
    """A transport whose `close` calls the protocol's `close_soon`, which may first read what is
    still arriving.
    """

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing may be written any more."""
        return self._protocol.is_refused or self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, perhaps after reading what is still arriving."""
        self._protocol.close_soon()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the limits of this module; one object per connection.

    `places` is set on a subclass (see `guarded`). A connection is refused once it gets an error
    answer from here, or is being closed; nothing that arrives then reaches the application.
    """

    places: Places
    head_within_s = HEAD_WITHIN_S
    body_silence_s = BODY_SILENCE_S
    dropping_silence_s = DROPPING_SILENCE_S
    most_dropped_bytes = MOST_DROPPED_BYTES

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._address = ""
        self._has_place = True
        self.is_refused = False
        self._in_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_since_s = 0.0
        self._dropped_bytes = 0
        self._dropping_ends_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # The connection
    # ---------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place for the new connection, and start the timer for its headers."""
        self._real_transport = transport
        super().connection_made(_LingeringTransport(transport, self))  # type: ignore[arg-type]
        self._address = self.client[0] if self.client else ""
        self._has_place = self.places.take(self, self._address)
        self._start_timer(self.head_within_s if self._has_place else SPARE_HEAD_WITHIN_S)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place of the connection."""
        self._stop_timer()
        self.is_refused = True
        self.places.leave(self, self._address, had_place=self._has_place)
        super().connection_lost(exc)

    def abort(self) -> None:
        """End the connection at once, without an answer."""
        self.is_refused = True
        self._stop_timer()
        self._real_transport.abort()

    def close_soon(self) -> None:
        """Close after the answer, but go on reading, so that the client gets the answer."""
        if self.is_refused:
            return
        self.is_refused = True
        if self._in_head and not self._head_bytes:  # nothing is on its way
            self._stop_timer()
            self._real_transport.close()
            return
        if self._real_transport.can_write_eof():
            self._real_transport.write_eof()
        self.flow.resume_reading()
        self._dropping_ends_s = self.loop.time() + DROPPING_WITHIN_S
        self._start_timer(self.dropping_silence_s)

    @override
    def shutdown(self) -> None:
        """Close the connection for the server's shutdown, at once if it was refused."""
        if self.is_refused:
            self._real_transport.close()
        else:
            super().shutdown()

    @override
    def data_received(self, data: bytes) -> None:
        """Count bytes; refuse headers that are too large with 431, a body that is too slow with
        408.
        """
        if self._is_answered():
            self._drop(len(data))
        if self.is_refused:
            return
        if self._in_head:
            if not self._head_bytes and self._timer is None:  # the next request of this connection
                self._start_timer(self.head_within_s)
            self._head_bytes += len(data)
        else:
            self._body_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self._most_head_bytes():
            self._refuse(431)
        elif not self._in_head and self._timer is not None:
            if self._is_too_slow():
                self._refuse(408)
            else:
                self._start_timer(self.body_silence_s)

    # What the parser says
    # ---------------------------------------------------------------------------

    @override
    def on_headers_complete(self) -> None:
        """Refuse headers that are too large (431), and in a spare place all but health checks
        (503).
        """
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEADER_BYTES or len(self.headers) > MOST_HEADERS:
            self._refuse(431)
        elif not self._has_place and self.url.partition(b"?")[0] not in HEALTH_PATHS:
            self._refuse(503)
        if self.is_refused:
            return
        self._in_head, self._head_bytes = False, 0
        self._body_bytes, self._body_since_s = 0, self.loop.time()
        self._dropped_bytes = 0
        self._start_timer(self.body_silence_s)
        super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        if not self.is_refused:
            super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        """Expect the headers of the next request from now on."""
        if not self.is_refused:
            self._in_head = True
            self._stop_timer()
            super().on_message_complete()

    def _most_head_bytes(self) -> int:
        return MOST_HEADER_BYTES if self._has_place else MOST_SPARE_HEAD_BYTES

    # Time
    # -------------------------------------------------------------------------------------------

    def _start_timer(self, within_s: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(within_s, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        """Close a refused connection; refuse one that was too slow."""
        self._timer = None
        if self.is_refused:
            self._real_transport.close()
        elif not self._in_head and self.flow.read_paused:  # the server itself has paused reading
            self._start_timer(self.body_silence_s)
        else:
            self._refuse(408)

    def _is_too_slow(self) -> bool:
        took_s = self.loop.time() - self._body_since_s
        return took_s > self.body_silence_s and self._body_bytes < LEAST_BODY_RATE * took_s

    # Refusing
    # ---------------------------------------------------------------------------------------

    def _is_answered(self) -> bool:
        """Whether the bytes that arrive now belong to a request that is answered already."""
        return self.is_refused or (not self._in_head and self.cycle.response_complete)

    def _drop(self, size: int) -> None:
        """Count bytes that are read and dropped; end the connection when they are too many, or
        come for too long.
        """
        self._dropped_bytes += size
        if self._dropped_bytes > self.most_dropped_bytes:
            self.abort()
        elif self.is_refused:
            if self.loop.time() > self._dropping_ends_s:
                self._real_transport.close()
            else:
                self._start_timer(self.dropping_silence_s)

    def _refuse(self, status: int) -> None:
        """Send the problem with this status, if that is still possible, and close."""
        self._stop_timer()
        if self.transport.is_closing():
            self.is_refused = True
            return
        if self._may_answer():
            self._write_refusal(status)
        if self.cycle is not None:
            self.cycle.disconnected = True  # the application writes nothing more
            self.cycle.message_event.set()
        self.close_soon()

    def _may_answer(self) -> bool:
        """Whether nothing else is being sent, so that the refused request can be answered now."""
        if self.cycle is None:
            return True
        if self._in_head:  # the cycle is that of the request before
            return self.cycle.response_complete
        return not self.cycle.response_started and not self.pipeline

    def _write_refusal(self, status: int) -> None:
        """Send the problem of `_REFUSALS` with this status."""
        name, title, detail = _REFUSALS[status]
        answer = problem_response("/", status, name, title, detail, headers={"Connection": "close"})
        head = [b"HTTP/1.1 %d %b" % (status, title.encode())]
        head += [b"%b: %b" % header for header in answer.raw_headers]
        self._real_transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(400)


def find_spare_places() -> int:
    """The number of spare places for which this process has file descriptors.

    Raises the process's soft limit of descriptors as far as the hard limit allows.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES + SPARE_PLACES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft < wanted and soft != resource.RLIM_INFINITY:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    left = SPARE_PLACES if soft == resource.RLIM_INFINITY else soft - MOST_CONNECTIONS - OTHER_FILES
    return max(LEAST_SPARE_PLACES, min(SPARE_PLACES, left))


def guarded(places: Places) -> type[GuardedProtocol]:
    """The protocol class for one server, with its places."""
    return type("ServerProtocol", (GuardedProtocol,), {"places": places})
