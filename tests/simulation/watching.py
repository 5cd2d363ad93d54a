"""What a storm has its eye on: every admission, every takeover, and where a run stands that does
not end.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, Final

import asyncpg
from typing_extensions import override

from weighbridge.simulator.books import SlidingMinute
from weighbridge.store.jobs import jobs_table

NOTE_TAKEOVERS: Final = """
CREATE TABLE takeovers (job_id bigint, from_id uuid, products int);
CREATE FUNCTION note_takeover() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO takeovers SELECT OLD.id, OLD.queue_manager_id, count(*) FROM products WHERE job_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER note_takeover AFTER UPDATE ON %s FOR EACH ROW
    WHEN (OLD.status = 'picked' AND NEW.status = 'picked' AND OLD.queue_manager_id <> NEW.queue_manager_id)
    EXECUTE FUNCTION note_takeover();
"""
"""A group that another worker takes over has one call in flight at most: this is what may be paid
twice.
"""


_LOOKS: Final = {
    "products": "SELECT status::text, count(*) FROM products GROUP BY 1",
    "jobs": f"SELECT id, status::text, queue_manager_id::text, now() - heartbeat FROM {jobs_table()}",  # noqa: S608
    "queue": "SELECT running, paused_reason, next_batch_at FROM queue_state",
    "sessions": "SELECT pid, state, wait_event, left(query, 80) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
}


LOOK_S: Final = 0.005


class HeldBack:
    """How long this machine kept the process from running, at the longest.

    A timer that fires late was held up by our own code, which then used the processor, or by the
    machine, and then it was not used. Only the latter counts.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            began_s, worked_s = time.monotonic(), time.thread_time()  # noqa: TID251 - the machine's own time
            await asyncio.sleep(LOOK_S)
            late_s = time.monotonic() - began_s - LOOK_S  # noqa: TID251
            self.longest_s = max(self.longest_s, late_s - (time.thread_time() - worked_s))


class Admissions(SlidingMinute):
    """The simulator's own count, with every admission kept."""

    def __init__(self) -> None:
        super().__init__()
        self._all: list[tuple[float, int]] = []

    @override
    def record(self, now_s: float, tokens: int) -> None:
        super().record(now_s, tokens)
        self._all.append((now_s, tokens))

    def most_in(self, span_s: float) -> tuple[int, int]:
        """The most requests and tokens of any `span_s` seconds."""
        most_requests = most_tokens = first = tokens_now = 0
        for index, (now_s, tokens) in enumerate(self._all):
            tokens_now += tokens
            while self._all[first][0] <= now_s - span_s:
                tokens_now -= self._all[first][1]
                first += 1
            most_requests = max(most_requests, index - first + 1)
            most_tokens = max(most_tokens, tokens_now)
        return most_requests, most_tokens


async def standstill(url: str) -> dict[str, Any]:
    """What can be seen of a run that does not end."""
    connection = await asyncpg.connect(url)
    try:
        return {
            name: [tuple(row) for row in await connection.fetch(sql)]
            for name, sql in _LOOKS.items()
        } | {"tasks": _tasks()}
    finally:
        await connection.close()


def _tasks() -> dict[str, int]:
    """Where in our code all tasks wait, from the outside inwards."""
    found = Counter[str]()
    for task in asyncio.all_tasks():
        coroutine: Any = task.get_coro()
        places = []
        while coroutine is not None:
            frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
            if frame is not None and "weighbridge" in frame.f_code.co_filename:
                places.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
            coroutine = getattr(coroutine, "cr_await", None)
        found[" > ".join(places)] += 1
    return dict(found)
