"""Checks the database's invariants and says how to repair violations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.store.invariants import broken_rules, rules

if TYPE_CHECKING:
    from weighbridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated rule, the number of cases, and some of them: product codes or jobs."""

    rule: str
    count: int
    problem: str
    remedy: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """How many rules were checked, and which of them are violated."""

    checks: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every rule holds."""
        return not self.findings


async def examine(database: Database) -> Examination:
    """Check every invariant. Changes nothing, and may run while others use the database."""
    async with database.pool.acquire() as connection:
        broken = await broken_rules(connection)
    findings = tuple(
        Finding(b.rule.name, b.count, b.rule.problem, b.rule.remedy, b.examples) for b in broken
    )
    return Examination(len(rules()), findings)
