"""Sends the overview's live updates, which are worked out once for all viewers.

While anybody watches, one task reads the database and wakes the viewers, at most once every
`UPDATE_S`. Another viewer only costs the bytes that are sent to it: the database is not read more
often.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from weighbridge.dashboard.formats import cost, number, percent
from weighbridge.domain.products import ProcessingStatus
from weighbridge.plain_text import counted
from weighbridge.service.opening import DATABASE_AWAY
from weighbridge.service.queue import queue_status
from weighbridge.service.shared_look import SharedLook
from weighbridge.service.views.activity import ActivityReader
from weighbridge.service.views.patient_look import PatientLook
from weighbridge.service.views.state import batches_at_provider, limiting, outlook
from weighbridge.service.views.workers import live_workers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from weighbridge.dashboard.server import ServerContext
    from weighbridge.service.processing_stats import ProcessingStats
    from weighbridge.service.queue import QueueStatus
    from weighbridge.service.views.activity import Minute
    from weighbridge.service.views.state import Outlook

UPDATE_S: Final = 0.5
"""The shortest pause between two updates of an open page."""
PACE_S: Final = 2.0
"""How long the figure of products per hour is reused before it is computed again."""
MINUTES_S: Final = 5.0
"""How long the last hour's activity, once read, is reused at least."""
STATISTICS_COST_FACTOR: Final = 100.0
"""Statistics that took t seconds to read are reused for 100 t. For a day with many calls reading
takes seconds, and open pages ask for them all the time.
"""
NOT_YET: Final = "…"
"""Shown in place of statistics that are not read yet."""
HEARTBEAT_S: Final = 15.0
"""After so long without an update, an open page is sent a heartbeat."""
KEPT_LINES: Final = 60
"""How many log lines the page shows, at most."""
RECONNECT_MS: Final = 2_000
"""How long a browser waits before it opens a broken stream of updates again."""


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that the overview shows but the charts and the log, as of one moment."""

    look: QueueStatus
    outlook: Outlook
    workers: list[dict[str, Any]]
    products_per_hour: float
    statistics: ProcessingStats | None
    """None if they are not read yet."""

    def document(self) -> dict[str, Any]:
        """The board as JSON for the page's script: texts by name, shares for the bars."""
        counts = self.look.counts
        total = max(self.look.total_products, 1)
        used, limits = self.look.used, self.look.limits
        return {
            "situation": self.outlook.situation.value,
            "sentence": self.outlook.sentence,
            "remedy": self.outlook.remedy,
            "batches": batches_at_provider(self.look),
            "doneAt": _epoch(self.outlook.done_at),
            "waitUntil": _epoch(self.outlook.wait_until),
            "running": self.look.state.running,
            "limiting": limiting(self.look),
            "texts": {
                **{status.value: number(counts[status]) for status in ProcessingStatus},
                "total": number(self.look.total_products),
                "share": percent(self.finished / total, 0 if self.finished in {0, total} else 1),
                "productsPerHour": number(self.products_per_hour),
                "requestsUsed": number(used.requests),
                "requestsAllowed": number(limits.requests_per_minute),
                "tokensUsed": number(used.tokens),
                "tokensAllowed": number(limits.tokens_per_minute),
                "workerCount": number(len(self.workers)),
                **_statistics_texts(self.statistics),
            },
            "bars": {
                **{status.value: counts[status] / total for status in ProcessingStatus},
                "requests": min(1.0, used.requests / limits.requests_per_minute),
                "tokens": min(1.0, used.tokens / limits.tokens_per_minute),
            },
            "workers": self.workers,
        }

    @property
    def finished(self) -> int:
        """How many products are completed or failed."""
        counts = self.look.counts
        return counts[ProcessingStatus.COMPLETED] + counts[ProcessingStatus.FAILED]


def _statistics_texts(statistics: ProcessingStats | None) -> dict[str, str]:
    """The texts of the tiles on money and failures."""
    if statistics is None:
        return dict.fromkeys(("spentInDay", "spentInAll", "failureRate", "retried"), NOT_YET)
    day, overall = statistics.last_24_hours, statistics.overall
    return {
        "spentInDay": cost(day.total),
        "spentInAll": cost(overall.total),
        "failureRate": percent(overall.failure_rate),
        "retried": counted(day.total.retries, "call"),
    }


def _epoch(at: datetime | None) -> float | None:
    return at.timestamp() if at else None


class LiveBoard:
    """Works out the live updates and sends them to the viewers. One per server."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server
        activity = ActivityReader(server.database, server.clock)
        self.minutes = PatientLook(activity.last_hour, server.clock, fresh_for_s=MINUTES_S)
        self.statistics = PatientLook(
            server.statistics.processing_stats,
            server.clock,
            cost_factor=STATISTICS_COST_FACTOR,
        )
        self._pace = PatientLook(activity.products_per_hour, server.clock, fresh_for_s=PACE_S)
        self._viewers = 0
        self._following: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._board = b""
        self._minutes = b""
        self._rendered: dict[int, bytes] = {}
        self._rendered_up_to = -1
        self.look = SharedLook(self._look)
        """Gives the present board; those who call it at the same time share one reading."""

    async def status(self) -> QueueStatus:
        """The state of the queue and its counts."""
        return await queue_status(self._server.database, self._server.clock)

    async def _look(self) -> Board:
        """The present board, read from the database."""
        server = self._server
        status, pace, workers, statistics = await asyncio.gather(
            queue_status(server.database, server.clock),
            self._pace(),
            live_workers(server.database),
            self.statistics.soon(),
        )
        shown = [
            {
                "name": worker.host or "unknown host",
                "id": str(worker.id)[:8],
                "version": worker.version or "older",
                "calls": worker.calls_in_flight,
                "since": worker.started_at.timestamp(),
                "leaving": worker.is_leaving,
            }
            for worker in workers
        ]
        how = outlook(status, products_per_hour=pace, live_workers=len(workers))
        return Board(status, how, shown, pace, statistics)

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events for one viewer: `board`, `minutes` and `log`."""
        self._viewers += 1
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._run(), name="live-board")
        try:
            yield f"retry: {RECONNECT_MS}\n\n".encode()
            events = self._server.events
            board = minutes = b""
            position = events.newest_number
            # Lines may have been logged since the page was drawn: send all that it shows.
            yield _lines_event(events.recent_lines(KEPT_LINES), is_all=True)
            # The board that is kept may be older than the page, which would then go back in time.
            with contextlib.suppress(*DATABASE_AWAY):
                self._board = _event("board", (await self.look()).document())
            while not events.is_closed:
                news = self._news
                pieces = b""
                if self._board is not board:
                    board = self._board
                    pieces += board
                if self._minutes is not minutes:
                    minutes = self._minutes
                    pieces += minutes
                pieces += self._fresh_lines(position)
                position = events.newest_number
                if pieces:
                    yield pieces
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._viewers -= 1
            if self._viewers == 0 and self._following is not None:
                self._following.cancel()
                self._minutes = b""  # the next viewer may come hours later

    def _fresh_lines(self, position: int) -> bytes:
        """The log lines after a position as an event, made once for all viewers at this
        position.
        """
        events = self._server.events
        if self._rendered_up_to != events.newest_number:
            self._rendered_up_to = events.newest_number
            self._rendered = {}
        if position not in self._rendered:
            fresh = events.recent_lines(KEPT_LINES, after=position)
            self._rendered[position] = _lines_event(fresh, is_all=False) if fresh else b""
        return self._rendered[position]

    async def _run(self) -> None:
        """Keep the board up to date and wake the viewers, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wake_viewers())
            tasks.create_task(self._follow_board())

    async def _wake_viewers(self) -> None:
        """Wake the viewers when anything is new, or the server shuts down and their streams end."""
        events = self._server.events
        told: tuple[object, ...] = ()
        while True:
            present = (self._board, self._minutes, events.newest_number, events.is_closed)
            if present != told:
                told = present
                self._news.set()
                self._news = asyncio.Event()
            await asyncio.sleep(UPDATE_S)

    async def _follow_board(self) -> None:
        """Read the board and the last hour every UPDATE_S, as far as they are not fresh."""
        shown: list[Minute] | None = None
        while True:
            with contextlib.suppress(*DATABASE_AWAY):
                board = _event("board", (await self.look()).document())
                if board != self._board:
                    self._board = board
                hour = await self.minutes.soon()
                if hour is not None and hour is not shown:
                    shown = hour
                    self._minutes = _event("minutes", minutes_document(hour))
            await asyncio.sleep(UPDATE_S)


def _lines_event(lines: list[dict[str, Any]], *, is_all: bool) -> bytes:
    """A server-sent event with log lines; `is_all`: they replace those on the page."""
    return _event("log", {"all": is_all, "lines": lines})


def _event(event: str, document: dict[str, Any]) -> bytes:
    """A server-sent event with this name and document."""
    return f"event: {event}\ndata: ".encode() + to_json(document) + b"\n\n"


def minutes_document(minutes: list[Minute]) -> dict[str, Any]:
    """The activity of these minutes as JSON for charts: one list for each quantity."""
    return {
        "at": [minute.at.replace(tzinfo=UTC).timestamp() for minute in minutes],
        "products": [minute.completed for minute in minutes],
        "requests": [minute.calls for minute in minutes],
        "failedCalls": [minute.failed_calls for minute in minutes],
        "tokens": [minute.tokens for minute in minutes],
        "cost": [round(minute.cost_usd, 6) for minute in minutes],
        "p50": [_rounded(minute.latency_p50_s) for minute in minutes],
        "p95": [_rounded(minute.latency_p95_s) for minute in minutes],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
