"""Keeps what `OutputAllowances` has learned in the database, across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import FinishReason
from weighbridge.store import output_lengths
from weighbridge.store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    from weighbridge.domain.calls import CallReply
    from weighbridge.planning.tokens import OutputAllowances
    from weighbridge.steps import Question
    from weighbridge.store.database import Database

SAVE_EVERY: Final = 100
"""Observations between two saves; losing a few only makes an allowance slightly too generous."""


class StoredAllowances:
    """What was learned about one model."""

    def __init__(self, database: Database, model: str, learned: OutputAllowances) -> None:
        self._database = database
        self._model = model
        self._learned = learned
        self._unsaved = 0

    def observe(self, question: Question, group_size: int, reply: CallReply) -> None:
        """Learn from a reply; a truncated one says that more was needed."""
        truncated = reply.finish_reason is FinishReason.LENGTH
        if reply.usage.output_tokens > 0:
            self._learned.observe(question.name, group_size, reply.usage.output_tokens, truncated)
            self._unsaved += 1

    async def save_if_due(self, *, now: bool = False) -> None:
        """Write what was learned, now and then; while the database is unavailable it stays in
        memory.
        """
        unsaved = self._unsaved
        if unsaved >= SAVE_EVERY or (now and unsaved):
            self._unsaved = 0
            try:
                async with self._database.transaction() as connection:
                    await output_lengths.save(connection, self._model, self._learned.dump())
            except DATABASE_ERRORS:
                self._unsaved += unsaved  # next time
