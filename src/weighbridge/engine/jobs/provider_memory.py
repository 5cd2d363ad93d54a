"""Stores in the database what is learned about the provider: which parameters the server accepts,
notices for the operator, and how long answers are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge import telemetry
from weighbridge.domain.calls import FinishReason
from weighbridge.providers.base import CACHE_SAVING
from weighbridge.store import provider_facts
from weighbridge.store.database import DATABASE_ERRORS
from weighbridge.store.provider_facts import ProviderFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.calls import CallReply
    from weighbridge.planning.tokens import OutputAllowances
    from weighbridge.providers.base import Provider
    from weighbridge.steps import Question
    from weighbridge.store.database import Connection, Database

SAVE_EVERY: Final = 100
"""Number of replies between two saves of the learned answer lengths; losing a few of these only
makes an allowance slightly too large.
"""


class ProviderMemory:
    """Stores what is learned about the provider; one per process."""

    def __init__(self, database: Database, provider: Provider, lengths: OutputAllowances) -> None:
        self._database = database
        self._provider = provider
        self._lengths = lengths
        self._unsaved = 0
        self._known: tuple[str, Mapping[str, Any], tuple[str, ...]] | None = None

    async def recall(self, connection: Connection) -> None:
        """Load what earlier processes have learned about this server and model."""
        facts = await provider_facts.load(connection, self._provider.name, self._provider.model)
        self._lengths.load(facts.output_lengths)
        self._provider.recall(facts.learned)

    def observe(
        self, question: Question, group_size: int, reply: CallReply, attempts: int = 0
    ) -> None:
        """Learn from the length of a reply. `attempts` is the number of unusable answers
        before it.
        """
        truncated = reply.finish_reason is FinishReason.LENGTH
        if reply.usage.output_tokens > 0:
            tokens = reply.usage.output_tokens
            self._lengths.observe(question.name, group_size, tokens, truncated, attempts)
            self._unsaved += 1

    async def save_if_due(self, *, now: bool = False) -> None:
        """Save what was learned, if there is enough of it: lengths after `SAVE_EVERY` replies or at
        `now`, all else at once. If the database is unavailable, the next call tries again.
        """
        provider, unsaved = self._provider, self._unsaved
        learned, notices = provider.learned(), provider.notices
        kept = {name: value for name, value in learned.items() if name != CACHE_SAVING}
        is_news = (provider.name, kept, notices) != self._known
        if not is_news and unsaved < SAVE_EVERY and not (now and unsaved):
            return
        self._log_news(kept, notices)
        known_before, self._known = self._known, (provider.name, kept, notices)
        self._unsaved = 0
        facts = ProviderFacts(provider.name, provider.model, learned, notices, self._lengths.dump())
        try:
            async with self._database.transaction() as connection:
                await provider_facts.save(connection, facts)
        except DATABASE_ERRORS:
            self._known = known_before
            self._unsaved += unsaved  # next time

    def _log_news(self, learned: Mapping[str, Any], notices: Sequence[str]) -> None:
        """Log what was learned since the last save; not what was known at the start."""
        if self._known is None:
            return
        _, learned_before, notices_before = self._known
        changes = {
            name: value for name, value in learned.items() if learned_before.get(name) != value
        }
        if changes:
            facts = ", ".join(f"{name} {value}" for name, value in changes.items())
            telemetry.info(
                "provider_learned",
                f"🔎 Learned about {self._provider.name}, and used from now on: {facts}",
                changes=changes,
            )
        for notice in notices:
            if notice not in notices_before:
                telemetry.warning("provider_notice", f"⚠️ {notice}", notice=notice)
