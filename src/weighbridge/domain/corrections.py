"""What people override in the answers of a model, as it is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.errors import InputError
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.domain.answers import StepName

_DIGITS: Final = 10
"""How many significant digits of a number are shown: as many as a person may have typed, without
the rounding error of a sum.
"""

CORRECTED: Final = "corrected: "
"""First word of the note on a correction that counts."""
NOT_APPLIED: Final = "not applied: "
"""First words of the note on a correction that does not fit the answers."""
OWN_FACTOR_BY: Final = "for this product, by "
"""First words of the source id of a factor that a correction gives; the name follows."""
OWN_FACTOR: Final = "own factor"
"""The source of such a factor where neither a source nor a reason was given."""
REVIEWER: Final = "a reviewer"
"""What files that are handed on call whoever made a correction."""
OWN_BILL: Final = "own bill of materials"
"""The reason of an own bill, by itself or before the name of its file. It is ours, and goes out."""
BY_REVIEWER: Final = f" by {REVIEWER} on "
NO_NAMES: Final[Mapping[str, str]] = {}

Path = tuple[str, ...]
"""Where a value is in an answer: ("lines", "2", "material")."""

_BYLINE: Final = re.compile(r" by .*? on (\d{4}-\d\d-\d\d).*", re.DOTALL)
"""Matches who made a correction, when and why, in a note whose correction is not on record; rather
more than that than less.
"""
_FIRST: Final = "value"
_WRITTEN_OUT: Final = 1e16
"""Whole numbers from this one on are shown with all their digits: Python would write them with an
exponent ("1e+16"), and PostgreSQL gives them back written out.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A value in an answer, and the value that somebody wants in its place."""

    step: StepName
    path: Path
    value: Any  # JSON

    @property
    def target(self) -> str:
        """Step and path as they are written: "bill_of_materials.lines.2.material"."""
        return ".".join((self.step, *self.path))

    @property
    def in_words(self) -> str:
        """Which value this is about, without the names that a program has for it."""
        return _place_in_words(self)

    def is_within(self, other: Change) -> bool:
        """Whether this is the same value as the other's, or part of it."""
        return self.step == other.step and self.path[: len(other.path)] == other.path


@dataclass(frozen=True, slots=True)
class Correction:
    """A change that was made: who, when, why, from what to what.

    `anchor` is what the line is known by that the path numbers (`bill_lines.line_anchor`): with it
    the line is found again when a new answer has the lines in another order.
    """

    id: int
    change: Change
    anchor: str | None
    before: Any
    after: Any
    made_by: str
    reason: str
    made_at: datetime

    @property
    def says(self) -> str:
        """The correction in words: which value, from what to what, by whom, when and why."""
        return self._said(self.change.target, NO_NAMES)

    def note(self, names: Mapping[str, str]) -> str:
        """The correction for readers of the figure, who know no targets and no keys: "corrected:
        material of line 1 from MDF to Hardboard by ana …". `names` are those of the keys that the
        value is chosen from.
        """
        return f"{CORRECTED}{self._said(self.change.in_words, names)}"

    @property
    def byline(self) -> str:
        """Who made it, when and why, as notes end with it."""
        why = f" ({self.reason})" if self.reason else ""
        return f" by {self.made_by} on {self.made_at:%Y-%m-%d}{why}"

    def _said(self, value_name: str, names: Mapping[str, str]) -> str:
        before, after = _in_words(self.before, names), _in_words(self.after, names)
        change = f"from {before} to {after}" if before != after else f"stays {after}"
        return f"{value_name} {change}{self.byline}"


def is_about_correction(note: str) -> bool:
    """Whether a note of a footprint names a person: it is about a correction."""
    return note.startswith((CORRECTED, NOT_APPLIED))


def without_person(note: str, made: Iterable[Correction]) -> str:
    """A note on a correction without the name of who made it, and without the reason.

    `made` are all corrections of the product, also those that were taken back.
    """
    if not is_about_correction(note):
        return note
    for each in sorted(made, key=lambda one: -len(one.byline)):
        if each.byline in note:
            is_own = each.reason == OWN_BILL or each.reason.startswith(f"{OWN_BILL}, ")
            why = f" ({OWN_BILL})" if is_own else ""
            return note.replace(each.byline, f"{BY_REVIEWER}{each.made_at:%Y-%m-%d}{why}")
    return _BYLINE.sub(rf"{BY_REVIEWER}\1", note)


def target_in_words(target: str) -> str:
    """Which value a target (STEP.VALUE) names, without the names that a program has for it."""
    step, *path = target.split(".")
    return _place_in_words(Change(step, tuple(path), None))


def _place_in_words(change: Change) -> str:
    """Which value a change is about, without the names that a program has for it."""
    match (change.step, *change.path):
        case ("bill_of_materials", "mass_kg"):
            return "mass of one unit in kg"
        case ("bill_of_materials", "lines"):
            return "bill of materials"
        case ("bill_of_materials", "lines", number, "mass_kg"):
            return f"mass of line {number} in kg"
        case ("bill_of_materials", "lines", number, "component"):
            return f"part of line {number}"
        case ("manufacturing", "lines", number):
            return f"processing of line {number}"
        case (_, "lines", number, name):
            return f"{name.replace('_', ' ')} of line {number}"
        case ("factors", material):
            return f"factor of {material} in kg CO2e per kg"
        case _:
            return change.path[-1].replace("_", " ")


def _in_words(value: Any, names: Mapping[str, str] = NO_NAMES) -> str:
    """A value as people read it: a bill by its materials and masses, a process with its facts.

    The words are the same before the value is stored as JSON in PostgreSQL and after. `names` has
    the names of keys.
    """
    if value is None or value == "":
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) >= _WRITTEN_OUT:
        return str(int(value))
    if isinstance(value, float):
        return significant(value, _DIGITS)
    if isinstance(value, list):
        return " + ".join(_in_words(one, names) for one in value) or "none"
    if isinstance(value, dict) and "material" in value:
        mass_kg = value.get("mass_kg")
        named = _in_words(value["material"], names)
        return named if mass_kg is None else f"{named} {_in_words(mass_kg)} kg"
    if isinstance(value, dict) and "process" in value:
        known = _listed({name: fact for name, fact in value.items() if name != "process"})
        named = _in_words(value["process"], names)
        return f"{named} ({known})" if known else named
    if isinstance(value, dict):
        return _listed(value) or "none"
    return names.get(str(value), str(value))


def _listed(values: Mapping[str, Any]) -> str:
    """Names with their values. PostgreSQL does not keep the order of names, so they are sorted."""
    ordered = sorted(values.items(), key=lambda one: (one[0] != _FIRST, one[0]))
    return ", ".join(f"{name} {_in_words(value)}" for name, value in ordered)


def read_change(target: str, value: Any) -> Change:
    """The change of the value that `target` names (STEP.VALUE) into `value`.

    Raises InputError where the target is not of that form, or the value cannot be stored.
    """
    step, *path = target.strip().split(".")
    if not path or not all((step, *path)):
        raise InputError(
            f"{target!r} is not a value that can be corrected. Write it as STEP.VALUE, for example bill_of_materials.lines.2.material."
        )
    if not _is_storable(json.dumps([target, value], ensure_ascii=False)):
        raise InputError(
            f"{step}: the value contains a control character or a lone surrogate, which cannot "
            "be stored. Remove it."
        )
    return Change(step, tuple(path), value)


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold this JSON: no NUL and no half of a surrogate pair."""
    has_surrogates = any("\ud800" <= char <= "\udfff" for char in text)
    return not has_surrogates and "\\u0000" not in text
