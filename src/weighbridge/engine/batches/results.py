"""What the files of a batch that is over hold together, and what they should hold and do not. Pure.

A reply that is billed and cannot be read, or is in no file, is asked for again. Its money stays
committed, because a cap must hold whatever the provider's files look like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from weighbridge.domain.batches import RemoteBatch, ResultFile, ResultLine


class Flaws(NamedTuple):
    """What is wrong with the results of a batch.

    `lost` are requests that the provider may bill, and whose reply nobody can read.
    """

    unreadable: int = 0
    strangers: int = 0
    missing_files: int = 0
    lost: int = 0


class Results(NamedTuple):
    """The results of all files: one line for each request, by its key."""

    lines: dict[str, ResultLine]
    unreadable: int
    missing_files: int

    @property
    def are_garbage(self) -> bool:
        """Whether something came that is no result file at all, such as a gateway's page."""
        return not self.lines and self.unreadable > 0

    def is_answered(self, key: str) -> bool:
        """Whether there is a reply or an error about this request."""
        return key in self.lines and self.lines[key].is_answered

    def flaws(self, remote: RemoteBatch, requests: int, open_keys: Collection[str]) -> Flaws:
        """`open_keys` are those of its `requests` whose replies are not on record yet."""
        others = sum(key not in open_keys for key in self.lines)
        strangers = max(0, others - (requests - len(open_keys)))
        without = sum(not self.is_answered(key) for key in open_keys)
        replies = sum(line.is_reply for line in self.lines.values()) - strangers
        claimed = remote.completed if remote.total else requests
        lost = min(without, max(0, claimed - replies))
        return Flaws(self.unreadable, strangers, self.missing_files, lost)


def merged(files: Iterable[ResultFile]) -> Results:
    """A request with several results keeps the best one: a reply, else an error, else nothing."""
    lines: dict[str, ResultLine] = {}
    unreadable = missing = 0
    for file in files:
        unreadable += file.unreadable
        missing += file.is_missing
        for line in file.lines:
            known = lines.get(line.key)
            if known is None or _worth(line) > _worth(known):
                lines[line.key] = line
    return Results(lines, unreadable, missing)


def _worth(line: ResultLine) -> tuple[bool, bool]:
    return line.is_reply, line.is_answered
