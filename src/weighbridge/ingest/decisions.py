"""What is decided about a file before any value is read: by its owner or by the survey; and what is
still open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from weighbridge.domain.products import FieldLimits
from weighbridge.ingest.base import NO_CHOICES, Choices
from weighbridge.ingest.values.units import KILOGRAM, MassUnit
from weighbridge.ingest.values.wording import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.ingest.columns.fields import Field
    from weighbridge.ingest.values.numbers import DecimalSign


@dataclass(frozen=True, slots=True)
class Given:
    """What the user decided: `--decimal` and `--unit`. None: the user did not say."""

    decimal: DecimalSign | None = None
    unit: MassUnit | None = None


@dataclass(frozen=True, slots=True)
class NumberRule:
    """How the numbers of a column are read, and why.

    `decimal` None: cells that could be read in two ways are left out. `unit` is that of masses
    whose cell names none; None: such cells are left out.
    """

    decimal: DecimalSign | None = "."
    decimal_why: str = ""
    unit: MassUnit | None = None
    unit_why: str = ""
    is_percent: bool = False
    shows_percent: bool = False  # some number is above 1: a bare 1 means 1 %, 0.5 is in doubt


@dataclass(frozen=True, slots=True)
class Doubt:
    """A question that only the file's owner can answer.

    `option` is the command-line option that takes the answer; `options` has the possible answers,
    each with what it means.
    """

    field: Field
    column: str
    question: str
    option: str  # decimal or unit
    options: Mapping[str, str]

    @property
    def message(self) -> str:
        """The question and the options that answer it, for an error message."""
        answers = " or ".join(
            f"--{self.option} {one} ({meaning})" for one, meaning in self.options.items()
        )
        return (
            f"{self.question} Say which it is: {answers}; in an upload, set the field {self.option}. "
            "Nothing was stored."
        )


@dataclass(frozen=True, slots=True)
class Assumption:
    """What was assumed of a column of weights, and the option by which the user says otherwise.

    `options` has the option's other values, each with what it means.
    """

    field: Field
    column: str
    option: str
    options: Mapping[str, str]

    @property
    def message(self) -> str:
        """What was assumed, in a sentence."""
        return f"Column {quote(self.column)} names no unit; its numbers are taken as kilograms."

    @property
    def remedy(self) -> str:
        """What to do if the assumption is wrong."""
        ways = " or ".join(
            f"--{self.option} {one} for {what}" for one, what in self.options.items()
        )
        return f"If they are not: {ways}."


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the survey found: how to read each column of numbers, and what must be asked first.

    `samples` are a few cells of each column, `filled` how many of its cells are not empty.
    """

    rules: Mapping[Field, NumberRule] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    samples: Mapping[Field, tuple[str, ...]] = field(default_factory=dict)
    filled: Mapping[Field, int] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()

    def rule(self, name: Field) -> NumberRule:
        """The rule of a column; point and kilogram where nothing had to be decided."""
        return self.rules.get(name, _PLAIN)


_PLAIN: Final = NumberRule(unit=KILOGRAM)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a catalogue is to be read; all that a user can say.

    `format_name` is the format by the user's word, `name` what the user calls the file where its
    path is a temporary copy. `mapping` gives headers to fields by hand. `pictures_beside` False
    (uploads) refuses relative image paths. Reading ends after `at_most` products; None: at the end
    of the file.
    """

    format_name: str | None = None
    name: str | None = None
    mapping: Mapping[Field, str] = field(default_factory=dict)
    choices: Choices = NO_CHOICES
    given: Given = field(default_factory=Given)
    limits: FieldLimits = field(default_factory=FieldLimits)
    pictures_beside: bool = True
    at_most: int | None = None


USUAL: Final = ReadOptions()
"""The options for reading a file where the user sets none."""
