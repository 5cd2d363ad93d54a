"""Events for live views: progress, state changes, log lines, finished products.

One `EventHub` per process. It gathers what the program logs (`telemetry.watch`) and what the
database announces, and publishes a few updates a second, however many products are finished: a
browser could not take thousands. Every event has an id; recent ones are kept, so that a client that
reconnects with the id of its last event misses none. A client that was away for too long gets an
event of the kind `reset` with the whole present state.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from weighbridge import telemetry
from weighbridge.errors import StoreError
from weighbridge.service.queue import queue_status
from weighbridge.service.status_view import status_document
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.queue_state import CHANNEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from weighbridge.clock import Clock
    from weighbridge.store.database import Database

UPDATE_INTERVAL_S: Final = 0.25
"""The shortest pause, in seconds, before events are published again."""
IDLE_LOOK_S: Final = 2.0
"""After so many seconds without news, the state is read all the same: some changes are not
announced, such as quota in use.
"""
HEARTBEAT_S: Final = 15.0
"""After so long without an event a listener gets a heartbeat."""
RECONNECT_S: Final = 1.0
"""The pause before connecting again to a database that was away."""
FOLLOWED_S: Final = 300.0
"""How long progress is still published after the last listener left; it may reconnect."""
LINES_PER_UPDATE: Final = 50
"""The most log lines, and the most products, in one event."""
KEPT_BYTES: Final = 8_000_000
"""How many bytes of events are kept, at most, for clients that reconnect: the events of minutes at
full load, of hours otherwise.
"""
_FINISHED: Final = {"product_completed": "completed", "product_failed": "failed"}
_STATE_FIELDS: Final = (
    "running",
    "pausedReason",
    "pacing",
    "askTogether",
    "batchSize",
    "batchDelayMs",
    "maxConcurrentRequests",
    "currentBatch",
    "nextBatchAt",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is a JSON document; `number` counts the events of this process."""

    id: str
    number: int
    kind: str  # progress, state, log, products, reset
    data: bytes


@dataclass(slots=True)
class _Gathered:
    """Log lines and finished products since the last update: the first of them, and how many were
    left out.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    lines_omitted: int = 0
    products: list[dict[str, Any]] = field(default_factory=list)
    products_omitted: int = 0

    def note(
        self, at: str, level: str, event: str, message: str, fields: Mapping[str, Any]
    ) -> None:
        """Keep a log line if there is room, and the product if the line is about a finished one."""
        if event in _FINISHED:
            if len(self.products) < LINES_PER_UPDATE:
                self.products.append(
                    {"code": fields.get("code"), "aiProcessingStatus": _FINISHED[event]}
                )
            else:
                self.products_omitted += 1
        has_room = len(self.lines) < LINES_PER_UPDATE
        if not has_room and level != "INFO":
            has_room = self._make_room()
        if has_room:
            self.lines.append({"at": at, "level": level, "event": event, "message": message})
        else:
            self.lines_omitted += 1

    def _make_room(self) -> bool:
        """Drop the last line of level INFO for a more important one; False if there is none."""
        for place in range(len(self.lines) - 1, -1, -1):
            if self.lines[place]["level"] == "INFO":
                del self.lines[place]
                self.lines_omitted += 1
                return True
        return False


def _state_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The queue's settings and state, without its counts, from the document of its status."""
    return {name: document["queue"][name] for name in _STATE_FIELDS}


class EventHub:
    """Publishes to any number of listeners; each reads from one shared buffer at its own pace.

    An event's id is `epoch`, which is new with every process, and its number.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.epoch = secrets.token_hex(4)
        self.newest_number = 0
        self._kept: deque[Event] = deque()
        self._kept_bytes = 0
        self._hearing = threading.Lock()
        self._gathered = _Gathered()
        self._has_heard = False
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._progress = b""
        self._state: dict[str, Any] = {}
        self.listeners = 0
        self._followed_until_s = 0.0
        self.is_closed = False

    # Reading --------------------------------------------------------------------------------------

    async def listen(self, last_id: str | None = None) -> AsyncGenerator[Event | None, None]:
        """Yields the events after `last_id`, or from now on, until the hub closes.

        None is a heartbeat. A new listener, and one whose last id is no longer known, first gets an
        event with the whole present state.
        """
        self.listeners += 1
        self._wake.set()  # the new listener wants the present state
        try:
            position = self._position_of(last_id)
            if position is None:
                position = self.newest_number
                yield await self._snapshot("reset" if last_id else "progress")
            while not self.is_closed:
                if self._kept and position < self._kept[0].number - 1:
                    position = self.newest_number
                    yield await self._snapshot("reset")
                for event in self._since(position):
                    position = event.number
                    yield event
                if position == self.newest_number:
                    has_news = await self._wait_for_news()
                    if not has_news:
                        yield None
        finally:
            self.listeners -= 1
            self._followed_until_s = self._clock.monotonic_s() + FOLLOWED_S

    def _position_of(self, last_id: str | None) -> int | None:
        """The number of the event with this id; None if the events after it are not all kept."""
        epoch, _, number = (last_id or "").partition("-")
        if epoch != self.epoch or not number.isdecimal() or len(number) > 18:
            return None
        position = int(number)
        oldest = self._kept[0].number if self._kept else self.newest_number + 1
        return position if oldest - 1 <= position <= self.newest_number else None

    def recent_lines(self, count: int, after: int = -1) -> list[dict[str, Any]]:
        """The last `count` log lines, newest last, of events with a higher number than `after`."""
        lines: list[dict[str, Any]] = []
        for event in reversed(self._kept):
            if event.number <= after or len(lines) >= count:
                break
            if event.kind == "log":
                lines[:0] = from_json(event.data)["lines"]
        return lines[-count:]

    def _since(self, position: int) -> list[Event]:
        """The kept events with a higher number than `position`."""
        if position == self.newest_number or not self._kept:
            return []
        first = position + 1 - self._kept[0].number
        return [self._kept[i] for i in range(max(first, 0), len(self._kept))]

    async def _wait_for_news(self) -> bool:
        """Wait for the next event; False if none came within HEARTBEAT_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_S):
                await self._news.wait()
                return True
        return False

    async def _snapshot(self, kind: str) -> Event:
        """An event with the whole present state; it has the number of the newest event."""
        number = self.newest_number
        document = status_document(await queue_status(self._database, self._clock))
        # Whoever sees this must be told of the first change after it.
        self._state = self._state or _state_of(document)
        return Event(f"{self.epoch}-{number}", number, kind, to_json(document))

    # Publishing -----------------------------------------------------------------------------------

    def publish(self, kind: str, document: Mapping[str, Any]) -> None:
        """Publish an event, and keep it for reconnecting listeners."""
        data = to_json(document)
        self.newest_number += 1
        self._kept.append(
            Event(f"{self.epoch}-{self.newest_number}", self.newest_number, kind, data)
        )
        self._kept_bytes += len(data) + 200
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= len(self._kept.popleft().data) + 200
        self._news.set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Collect and publish events until cancelled."""
        self._loop = asyncio.get_running_loop()
        telemetry.watch(self._note_log_line)
        listening = asyncio.create_task(self._listen_to_database(), name="events-listener")
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_LOOK_S):
                        await self._wake.wait()
                self._wake.clear()
                await self.update()
                await asyncio.sleep(UPDATE_INTERVAL_S)
        finally:
            telemetry.unwatch(self._note_log_line)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def close(self) -> None:
        """End every stream, because the server is shutting down."""
        self.is_closed = True
        self._news.set()

    async def update(self) -> None:
        """Publish the log lines, products and changes since the last update."""
        with self._hearing:
            gathered, self._gathered = self._gathered, _Gathered()
            self._has_heard = False
        if gathered.lines:
            self.publish("log", {"lines": gathered.lines, "omitted": gathered.lines_omitted})
        if gathered.products:
            self.publish(
                "products", {"products": gathered.products, "omitted": gathered.products_omitted}
            )
        if self.listeners or self._clock.monotonic_s() < self._followed_until_s:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError, StoreError):
                await self._publish_progress()

    async def _publish_progress(self) -> None:
        """Publish the state of the queue if it has changed, then the progress if that has."""
        document = status_document(await queue_status(self._database, self._clock))
        state = _state_of(document)
        if self._state and state != self._state:
            self.publish("state", state)
        self._state = state
        data = to_json(document)
        if data != self._progress:
            self._progress = data
            self.publish("progress", document)

    def _note_log_line(
        self, level: str, event: str, message: str, fields: Mapping[str, Any]
    ) -> None:
        """Called with every log line, in any thread; only keeps the line, since it must be
        quick.
        """
        at = self._clock.now().isoformat()
        with self._hearing:
            self._gathered.note(at, level, event, message, fields)
            is_first, self._has_heard = not self._has_heard, True
        if is_first:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _listen_to_database(self) -> None:
        """Wake the updates whenever a process announces a change, until cancelled."""
        while True:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):
                connection = await self._database.connect()
                gone = asyncio.Event()
                connection.add_termination_listener(lambda *_: gone.set())  # noqa: B023
                try:
                    await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
                    await gone.wait()
                finally:
                    connection.terminate()
            await self._clock.sleep(RECONNECT_S)
