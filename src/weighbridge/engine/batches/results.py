"""Merges the result files of a batch that has ended, and finds what is wrong or missing in them.
Pure.

A request whose reply cannot be read or is in no file is sent again. The money of the first reply
stays committed, since it may be billed: caps must be kept whatever the provider's files contain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from weighbridge.domain.batches import RemoteBatch, ResultFile, ResultLine


class Flaws(NamedTuple):
    """How often something is wrong with the results of a batch.

    `unreadable` counts lines, `strangers` lines about requests that are not in the batch. `lost`
    counts requests that the provider may bill although there is no readable reply.
    """

    unreadable: int = 0
    strangers: int = 0
    missing_files: int = 0
    lost: int = 0


class Results(NamedTuple):
    """The merged results of all files: one line for each request, by its key."""

    lines: dict[str, ResultLine]
    unreadable: int
    missing_files: int

    @property
    def are_garbage(self) -> bool:
        """Whether the files have no result at all, as when a gateway sends a page instead."""
        return not self.lines and self.unreadable > 0

    def is_answered(self, key: str) -> bool:
        """Whether there is a reply or an error about this request."""
        return key in self.lines and self.lines[key].is_answered

    def flaws(self, remote: RemoteBatch, requests: int, open_keys: Collection[str]) -> Flaws:
        """What is wrong with these results of the batch `remote`.

        `requests` is how many it has; `open_keys` are those whose replies are not recorded yet.
        """
        others = sum(key not in open_keys for key in self.lines)
        strangers = max(0, others - (requests - len(open_keys)))
        without = sum(not self.is_answered(key) for key in open_keys)
        replies = sum(line.is_reply for line in self.lines.values()) - strangers
        claimed = remote.completed if remote.total else requests
        lost = min(without, max(0, claimed - replies))
        return Flaws(self.unreadable, strangers, self.missing_files, lost)


def merged(files: Iterable[ResultFile]) -> Results:
    """The results of all files; of several lines about a request the best counts: a reply, else an
    error.
    """
    lines: dict[str, ResultLine] = {}
    unreadable = missing = 0
    for file in files:
        unreadable += file.unreadable
        missing += file.is_missing
        for line in file.lines:
            known = lines.get(line.key)
            if known is None or _rank(line) > _rank(known):
                lines[line.key] = line
    return Results(lines, unreadable, missing)


def _rank(line: ResultLine) -> tuple[bool, bool]:
    """Sorts a line without a result first, then errors, then replies."""
    return line.is_reply, line.is_answered
