"""Looks whether the database is sound, and says what is wrong and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.store.invariants import broken_rules, rules

if TYPE_CHECKING:
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be. `examples` are product codes or jobs."""

    rule: str
    count: int
    problem: str
    remedy: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was looked at, and what was found."""

    checks: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every rule holds."""
        return not self.findings


async def examine(database: Database) -> Examination:
    """Check every invariant. Changes nothing, and may run while others work."""
    async with database.pool.acquire() as connection:
        broken = await broken_rules(connection)
    findings = tuple(
        Finding(b.rule.name, b.count, b.rule.problem, b.rule.remedy, b.examples) for b in broken
    )
    return Examination(len(rules()), findings)
