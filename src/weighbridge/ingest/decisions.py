"""What is decided about a file before any value is read: by its owner or by the survey; and what is
still open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.values.units import KILOGRAM, MassUnit
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.ingest.columns.fields import Field
    from weighbridge.ingest.values.numbers import DecimalSign


@dataclass(frozen=True, slots=True)
class Given:
    """What the user decided: `--decimal` and `--unit`."""

    decimal: DecimalSign | None = None
    unit: MassUnit | None = None


@dataclass(frozen=True, slots=True)
class NumberRule:
    """How the numbers of a column are read, and why. `decimal` None: only what can be read in one
    way alone.

    `unit` holds for masses that name none; None there: such a cell is not read.
    """

    decimal: DecimalSign | None = "."
    decimal_why: str = ""
    unit: MassUnit | None = None
    unit_why: str = ""
    is_percent: bool = False
    shows_percent: bool = False  # a bare number above 1: there, 1 is 1 %, and 0.5 still in doubt


@dataclass(frozen=True, slots=True)
class Doubt:
    """A question that only the file's owner can answer.

    `options`: answer → what it means; `remedy` names the option.
    """

    field: Field
    column: str
    question: str
    option: str  # decimal or unit
    options: Mapping[str, str]

    @property
    def message(self) -> str:
        """For where nobody can be asked."""
        ways = " or ".join(f"--{self.option} {one} ({what})" for one, what in self.options.items())
        return (
            f"{self.question} Say which it is: {ways}; in an upload, set the field {self.option}. "
            "Nothing was stored."
        )


@dataclass(frozen=True, slots=True)
class Assumption:
    """What was taken for granted of a column of weights, and the option that says otherwise."""

    field: Field
    column: str
    option: str
    options: Mapping[str, str]

    @property
    def message(self) -> str:
        """The assumption alone."""
        return f"Column {quote(self.column)} names no unit; its numbers are taken as kilograms."

    @property
    def remedy(self) -> str:
        """What to do where it is wrong."""
        ways = " or ".join(
            f"--{self.option} {one} for {what}" for one, what in self.options.items()
        )
        return f"If they are not: {ways}."


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the survey found: how to read each column of numbers, and what must be asked first."""

    rules: Mapping[Field, NumberRule] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    samples: Mapping[Field, tuple[str, ...]] = field(default_factory=dict)
    filled: Mapping[Field, int] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()

    def rule(self, name: Field) -> NumberRule:
        """The rule of a column; the plain one where nothing had to be decided."""
        return self.rules.get(name, _PLAIN)


_PLAIN: Final = NumberRule(unit=KILOGRAM)
