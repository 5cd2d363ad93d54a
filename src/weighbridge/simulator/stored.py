"""Chat completions that the simulated provider stores when asked to, and shows in a list.

`account.py` adds them, `app.py` shows them. OpenAI does not document what happens to a call whose
client has gone, when a stored call is listed, or whether look-ups count against the limits, so
`keeping`, `list_delay_s` and `lookups_count` of `SimulatorConfig` choose.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from weighbridge.simulator.config import Keeping
from weighbridge.simulator.questions.faults import ApiFault

if TYPE_CHECKING:
    from weighbridge.clock import Clock
    from weighbridge.simulator.books import Books
    from weighbridge.simulator.config import SimulatorConfig

REMEMBERED: Final = 100_000
"""The most calls that are stored."""
_PAGE: Final = 20
"""How many entries a page of the list has, at most, where the request sets no limit."""
_LONGEST_PAGE: Final = 100


@dataclass(slots=True)
class _Stored:
    completion: dict[str, Any]
    listed_from_s: float
    was_fetched: bool = False


class StoredCompletions:
    """The stored calls, at most `REMEMBERED`; then the oldest go. OpenAI keeps them for 30 days."""

    def __init__(self, clock: Clock, books: Books) -> None:
        self._clock = clock
        self._books = books
        self._stored: OrderedDict[str, _Stored] = OrderedDict()

    def add(
        self, completion: dict[str, Any], metadata: dict[str, str], config: SimulatorConfig
    ) -> None:
        """Store a completion, unless `config.keeping` says that none are stored."""
        if config.keeping not in (Keeping.FINISHED, Keeping.ATTENDED):
            return
        self._books.stored += 1
        shown = {**completion, "request_id": f"req_of_{completion['id']}", "metadata": metadata}
        listed_from_s = self._clock.monotonic_s() + config.list_delay_s
        self._stored[completion["id"]] = _Stored(shown, listed_from_s)
        if len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)

    def page(self, query_string: bytes) -> dict[str, Any]:
        """One page of GET /v1/chat/completions, filtered and ordered as the query asks.

        Raises:
            ApiFault: the limit is not within 1 and 100.
        """
        query = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
        limit = _limit(query.get("limit"))
        wanted = {
            name.removeprefix("metadata[").removesuffix("]"): value
            for name, value in query.items()
            if name.startswith("metadata[")
        }
        now_s = self._clock.monotonic_s()
        found = [
            stored
            for stored in self._stored.values()
            if stored.listed_from_s <= now_s
            and wanted.items() <= stored.completion["metadata"].items()
            and query.get("model", stored.completion["model"]) == stored.completion["model"]
        ]
        if query.get("order") == "desc":
            found.reverse()
        ids = [stored.completion["id"] for stored in found]
        if (after := query.get("after")) in ids:
            found = found[ids.index(after) + 1 :]
        shown = found[:limit]
        self._count(shown)
        return {
            "object": "list",
            "data": [stored.completion for stored in shown],
            "has_more": len(found) > limit,
            "first_id": shown[0].completion["id"] if shown else None,
            "last_id": shown[-1].completion["id"] if shown else None,
        }

    def _count(self, shown: list[_Stored]) -> None:
        """Count one look-up in the books, and each completion that was never shown before."""
        self._books.lookups += 1
        for stored in shown:
            self._books.fetched += not stored.was_fetched
            stored.was_fetched = True


def _limit(text: str | None) -> int:
    """Entries of a page, 20 by default. Raises ApiFault."""
    if text is None:
        return _PAGE
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_PAGE:
        raise ApiFault(400, f"Invalid 'limit': '{text}' is not within 1 and 100.", param="limit")
    return int(text)
