"""The values of a product's answers that a form offers for correction, and the changes that a
filled-in form makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.answers import (
    NO_LONGER_ASKED,
    BillOfMaterials,
    Classification,
    ManufacturingProcesses,
    Subject,
)
from weighbridge.domain.corrections import read_change
from weighbridge.domain.products import ProcessingStatus, Product
from weighbridge.ingest.values.numbers import plain_number, tidy
from weighbridge.ingest.values.weights import KILOGRAM, read_weight
from weighbridge.service.desk.process_cells import FACT_COLUMNS, lenient_fact_value, written
from weighbridge.steps.manufacturing import worked_lines
from weighbridge.store import corrections, footprints, products
from weighbridge.weighing.correcting import corrected
from weighbridge.weighing.near_matches import find_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.domain.answers import Answer, StepName
    from weighbridge.domain.corrections import Change, Correction
    from weighbridge.domain.facts import ProcessFacts
    from weighbridge.steps import Steps
    from weighbridge.store.database import Database
    from weighbridge.store.stored_detail import StoredDetail

SUBCATEGORY: Final = f"{Classification.step}.subcategory"
MASS: Final = f"{BillOfMaterials.step}.mass_kg"
ATTRIBUTES: Final = f"{BillOfMaterials.step}.attributes."
_BILL_LINES: Final = f"{BillOfMaterials.step}.lines."
_PROCESSES: Final = f"{ManufacturingProcesses.step}.lines."
_SEPARATOR: Final = "; "
_FACTS: Final[Mapping[str, str]] = {
    "country": "Country where part {} is worked",
    "electricity_kwh_per_kg": "Electricity for part {} (kWh per kg)",
    "heat_kwh_per_kg": "Heat for part {} (kWh per kg)",
    "electricity_kg_co2e_per_kwh": "Emissions of electricity for part {} (kg CO2e per kWh)",
    "heat_kg_co2e_per_kwh": "Emissions of heat for part {} (kg CO2e per kWh)",
    "energy_source": "Source of the energy figures of part {}",
}
"""Name of each fact in `ProcessFacts` → its label in a form, where {} stands for the number of the
part.
"""


@dataclass(frozen=True, slots=True)
class EditableValue:
    """One value as a form shows it; `target` names it in a correction.

    `earlier` is the correction that it has already.
    """

    target: str
    label: str
    shown: str
    earlier: Correction | None


@dataclass(frozen=True, slots=True)
class EditableLine:
    """A line of the bill of materials, with its processes and what is known of these."""

    number: int
    values: tuple[EditableValue, ...]  # component, material, mass, processes
    facts: tuple[EditableValue, ...]  # of the processes: `ProcessFacts`, in its order


@dataclass(frozen=True, slots=True)
class EditableAnswers:
    """The values that may be corrected, and the lists that values are chosen from.

    `materials` and `processes` have names by key.
    """

    values: tuple[EditableValue, ...]
    lines: tuple[EditableLine, ...]
    subcategories: tuple[str, ...]
    materials: Mapping[str, str]
    processes: Mapping[str, str]
    attributes: tuple[str, ...]  # that the product may have, and has not

    @property
    def names(self) -> Mapping[str, str]:
        """The names of materials and processes by key."""
        return {**self.materials, **self.processes}


async def editable_answers(database: Database, steps: Steps, code: str) -> EditableAnswers | None:
    """The values of a product's answers that may be corrected; None while it has no answers."""
    async with database.pool.acquire() as connection:
        row = await products.find(connection, code)
        if row is None or row["status"] != ProcessingStatus.COMPLETED:
            return None
        detail = await footprints.detail_of(connection, row)
        made = (await corrections.active(connection, [row["id"]])).get(row["id"], [])
    if detail is None:
        return None
    answers = {step: steps.decode(step, stored) for step, stored in detail.answers.items()}
    subject = Subject(Product(code, row["name"], row["description"]), answers)
    classification = subject.answer(Classification)
    bill = subject.answer(BillOfMaterials)
    processes = subject.answer(ManufacturingProcesses)
    if classification is None or bill is None or processes is None:
        return None
    placed = corrected(subject.product, _model_answers(steps, detail), made, steps).placed
    return _Editing(steps, {each.change.target: each for each in placed}).of(
        classification, bill, processes
    )


def _model_answers(steps: Steps, detail: StoredDetail) -> dict[StepName, Answer]:
    stored = {**detail.answers, **detail.model_answers}
    return {step: steps.decode(step, answer) for step, answer in stored.items()}


class _Editing:
    """Turns answers into the values of a form; `earlier` are the corrections by target."""

    def __init__(self, steps: Steps, earlier: Mapping[str, Correction]) -> None:
        self._choices = {step.name: step.choices for step in steps}
        self._earlier = earlier

    def of(
        self, kind: Classification, bill: BillOfMaterials, processes: ManufacturingProcesses
    ) -> EditableAnswers:
        """Every value of these answers that may be corrected."""
        of_bill = self._choices[BillOfMaterials.step]
        names = of_bill(("attributes",))
        has = {attribute.name for attribute in bill.attributes}
        labels = self._choices[Classification.step](("subcategory",))
        label = kind.subcategory
        if label not in labels:  # the same name in several categories
            label = f"{label} ({kind.category})"
        values = [
            self._value(SUBCATEGORY, "Kind of product", label),
            self._value(MASS, "Mass of one unit (kg)", f"{bill.mass_kg:.6g}"),
        ]
        values += [
            self._value(f"{ATTRIBUTES}{a.name}", a.name.replace("_", " "), f"{a.value:.6g}")
            for a in bill.attributes
        ]
        return EditableAnswers(
            tuple(values),
            tuple(self._lines(bill, processes)),
            tuple(labels),
            of_bill(("lines",)),
            self._choices[ManufacturingProcesses.step](("lines", "1")),
            tuple(name for name in names if name not in has and name not in NO_LONGER_ASKED),
        )

    def _lines(
        self, bill: BillOfMaterials, processes: ManufacturingProcesses
    ) -> Iterator[EditableLine]:
        """The lines of the bill with what may be corrected, numbered from 1 as in the targets."""
        materials = self._choices[BillOfMaterials.step](("lines",))
        names = self._choices[ManufacturingProcesses.step](("lines", "1"))
        for number, line in enumerate(bill.lines, start=1):
            at = f"{_BILL_LINES}{number}."
            done = [use for use in processes.uses if number in worked_lines(use, bill)]
            worked = f"{_PROCESSES}{number}"
            yield EditableLine(
                number,
                (
                    self._value(f"{at}component", f"Part {number}", line.component),
                    self._value(
                        f"{at}material",
                        f"Material of part {number}",
                        _name_or_key(line.material, materials),
                    ),
                    self._value(
                        f"{at}mass_kg", f"Mass of part {number} (kg)", f"{line.mass_kg:.6g}"
                    ),
                    self._value(
                        worked,
                        f"Processes of part {number}",
                        _SEPARATOR.join(_name_or_key(use.process, names) for use in done),
                    ),
                ),
                tuple(self._facts(number, worked, [use.known for use in done])),
            )

    def _facts(
        self, number: int, worked: str, known: Sequence[ProcessFacts]
    ) -> Iterator[EditableValue]:
        """The values of what is known of the processes of a line; `worked` is the line's target."""
        for name, label in _FACTS.items():
            cell = written([getattr(each, name) for each in known])
            shown = f"{cell:.12g}" if isinstance(cell, float) else cell or ""
            yield self._value(f"{worked}.{name}", label.format(number), shown)

    def _value(self, target: str, label: str, shown: str) -> EditableValue:
        return EditableValue(target, label, shown, self._earlier.get(target))


def _name_or_key(key: str, names: Mapping[str, str]) -> str:
    """The name of a key; the key itself if the name is ambiguous or contains the separator."""
    name = names.get(key, key)
    return name if find_key(name, names) == key and _SEPARATOR.strip() not in name else key


@dataclass(frozen=True, slots=True)
class OutdatedEdits:
    """The edited fields of a form that contain something else than when it was drawn.

    `problems` say so by target. What was entered in `elsewhere` was meant for a part that is
    another one by now. `gone` says which values there are no more.
    """

    problems: Mapping[str, str]
    elsewhere: frozenset[str]
    gone: tuple[str, ...]


def outdated_edits(
    now: EditableAnswers, given: Mapping[str, str], shown: Mapping[str, str], by: str
) -> OutdatedEdits:
    """What has changed in the edited fields since the form was drawn.

    `given` and `shown` are as in `read_edits`. A value that somebody other than `by` has corrected
    is not named: the correction itself is refused then, and says by whom.
    """
    of_line = {one.target: line for line in now.lines for one in (*line.values, *line.facts)}
    current = {one.target: one for one in now.values}
    current |= {one.target: one for line in now.lines for one in (*line.values, *line.facts)}
    problems = {}
    elsewhere = set()
    gone = []
    for target, text in given.items():
        seen = shown.get(target, "")
        if text == seen or (target not in shown and not target.startswith(ATTRIBUTES)):
            continue
        value = current.get(target)
        if value is None:
            if target in shown:
                gone.append(_gone(target, text))
        elif target in of_line and _is_another(of_line[target], shown):
            problems[target] = _another_part(of_line[target], text)
            elsewhere.add(target)
        elif value.shown != seen and not (value.earlier and value.earlier.made_by != by):
            problems[target] = (
                f"This was {seen or 'empty'} when the page was opened, and is {value.shown or 'empty'} "
                "now. Press Correct again to put your value in its place."
            )
    return OutdatedEdits(problems, frozenset(elsewhere), tuple(gone))


def _is_another(line: EditableLine, shown: Mapping[str, str]) -> bool:
    """Whether a line of the bill has another material or part than the form was drawn with."""
    part, material = line.values[:2]
    return any(one.shown != shown.get(one.target, one.shown) for one in (part, material))


def _another_part(line: EditableLine, text: str) -> str:
    """The message about a field of a part that is another one by now."""
    return (
        "The parts have changed since the page was opened: this one is "
        f"{line.values[1].shown} now. Your entry ({text or 'empty'}) was left out; enter it again "
        "where it belongs."
    )


def _gone(target: str, text: str) -> str:
    """The message about a field that there is no more."""
    what = read_change(target, None).in_words
    return (
        f"There is no {what} any more: the answers have changed since the page was opened. Your "
        f"entry ({text or 'empty'}) was left out."
    )


def read_edits(
    steps: Steps, given: Mapping[str, str], shown: Mapping[str, str]
) -> tuple[Change, ...]:
    """The changes that a form makes: the fields whose text differs from what they contained first.

    `given` and `shown` have the texts after and before, by target. Raises InputError for a field
    that is no target.
    """
    choices = {step.name: step.choices for step in steps}
    made = []
    for target, text in given.items():
        if text == shown.get(target, ""):
            continue
        change = read_change(target, text)
        names = choices[change.step](change.path) if change.step in choices else {}
        made.append(read_change(target, _value_of(target, text, names)))
    return tuple(made)


def _value_of(target: str, text: str, names: Mapping[str, str]) -> Any:
    """The text of a field as the value of a correction: a number, a key, a list of keys, or None.

    A text that cannot be read stays as it is: the correction is then refused with a suggestion.
    """
    if target.startswith(_PROCESSES):
        _, _, fact = target.removeprefix(_PROCESSES).partition(".")
        if fact in FACT_COLUMNS:
            return lenient_fact_value(fact, text)
        words = (word.strip() for word in text.split(_SEPARATOR.strip()))
        return [_key_of(word, names) for word in words if word]
    if target.startswith(ATTRIBUTES) and not text:
        return None
    if target == MASS or target.endswith(".mass_kg"):
        return read_mass(text)
    if target.startswith(ATTRIBUTES):
        return _number(text)
    return _key_of(text, names)


def _key_of(name: str, names: Mapping[str, str]) -> str:
    """The key of a name that the form offers; any other text as it is, to be understood later."""
    keys = [key for key, other in names.items() if other == name]
    return keys[0] if len(keys) == 1 and name not in names else name


def read_mass(text: str) -> float | str:
    """The mass in kilograms that people write, with or without a unit ("250 g"); the text if it is
    none or ambiguous.
    """
    number = _number(text)
    if isinstance(number, str):
        mass_kg = read_weight(number, KILOGRAM, None).mass_kg
        return number if mass_kg is None else mass_kg
    return number


def _number(text: str) -> float | str:
    """The value of a number as people write it; the text if it is none or ambiguous."""
    plain = plain_number(tidy(text), None)
    try:
        return float(text if plain is None else plain)
    except ValueError:
        return text
