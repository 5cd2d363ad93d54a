"""Step 3: how is it made? Processes from the closed list, each applied to a material of the
product's own bill.

The model sees the bill with each material's family, and which of them are `"formed"`: their factor
covers shaping, and nothing may be added. Asked together with the bill, it has only their keys
to go by: a list of the formed ones took 120 tokens of every call. What it adds all the same is
judged so:

- a line that is not in the bill: refused. The answer is about something else.
- a process on a formed material: dropped, and the rest kept. It is the known mistake, the prompt
  warns of it, and leaving the use out is the right answer.
- a process that is not for the material's family: dropped too, because no factor exists for the
  pair. If nothing is left then, the answer is an empty list of low confidence. Refusing it would
  help nobody: for some pairs (lay-up of glass fibre) there is no better answer in the list, and the
  product would fail.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from weighbridge.domain.answers import (
    BillOfMaterials,
    Classification,
    Confidence,
    ManufacturingProcesses,
    ProcessUse,
)
from weighbridge.domain.bill_lines import LINES, line_anchor, line_number, relocated
from weighbridge.domain.facts import (
    ENERGY_FIGURES,
    ENERGY_USED,
    ProcessFacts,
    process_fact,
)
from weighbridge.errors import AnswerMalformed, ImplausibleAnswer
from weighbridge.plain_text import counted
from weighbridge.steps.base import Step
from weighbridge.steps.fields import choice, confidence, parts, shown
from weighbridge.steps.schemas import array_schema, enum_schema, object_schema
from weighbridge.steps.shown import Plain, ShownField

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from weighbridge.domain.answers import (
        Answer,
        ProcessTerm,
        StepName,
        Subject,
        Vocabulary,
    )
    from weighbridge.domain.corrections import Path
    from weighbridge.steps.base import Recorded
    from weighbridge.steps.replies import Entry

MAX_USES: Final = 30
"""How many processes an answer may name, at most."""
_NO_SUCH_VALUE: Final = (
    "there is no such value. Choose lines.N for the processes of line N of the bill (such as "
    "lines.2), or lines.N.FACT for a fact about them, where FACT is one of: "
    f"{', '.join(ProcessFacts._fields)}."
)
_FACT_KINDS: Final[dict[str, Plain]] = {
    name: float if name in ENERGY_FIGURES else str for name in ProcessFacts._fields
}
"""Name of each fact of a process → the type of its value."""
USUAL_USES: Final = 3
"""How many processes a typical answer names."""

TASK: Final = """\
You list manufacturing processes for carbon footprints: what is done to the materials of a product to turn them into it. "category" says what the product is, "materials" what it is made of: lines with their number, component, mass in one unit and family.

Rules"""
CHAPTER: Final = """\
How it is made: "uses", what is done to these materials to turn them into the product."""
FORMED_IN_DATA: Final = """\
- A material with "formed": true already includes its shaping. Never add a process to it."""
FORMED_BY_NAME: Final = """\
- A key that names a finished part or article (fasteners, tyres, castings, "forged", "average") includes its shaping: give it no process."""


def rules(formed: str) -> str:
    """The rules of the question; `formed` is the rule that says which materials must not be shaped
    again.
    """
    return f"""\
- A use is a "process" and the "line" it is applied to: its number in the product's own "materials", the first is 1. Each pair once, at most {MAX_USES} uses.
- Start from the state that the material's key names, and end with the finished part. A fibre is spun, then woven or knitted, then dyed; a resin is moulded or extruded; a sheet is bent or drawn. What the key names is done and not done again: a dyed knit is neither knitted nor dyed, plywood is not pressed, cold-rolled steel not rolled, tanned leather not tanned.
{formed}
- A process is only for materials of the families before it in the table below. If the table has nothing that fits a material, give it nothing: an empty list can be the right answer ("confidence" is then how sure you are that nothing is missing).
- One shaping process for a line is usual. Give a second one only when it is done to the same part one after the other; never list alternatives. Add a surface treatment (dyeing, anodising, galvanising, tempering) only if the data says so or it is always done."""


class ManufacturingStep(Step[ManufacturingProcesses]):
    """How the materials of each product are worked."""

    name = ManufacturingProcesses.step
    fields: ClassVar = (
        ShownField(
            "processes",
            "processes",
            "Each process, with the number (from 1) and material of the bill's line it is applied "
            "to. Where it is done and with which energy is null unless a person has stated it.",
            {"process": str, "material": str, "line": int, **_FACT_KINDS},
            lambda answer: [use.as_record() for use in answer.uses],
        ),
    )
    needs = (Classification.step, BillOfMaterials.step)
    rules_number = 2
    about = "uses"
    sees_image = False  # the bill decides; an image would only add cost
    output_tokens_per_product = 220

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._materials = vocabulary.materials
        self._processes = vocabulary.processes
        self._countries = vocabulary.countries
        offered = [term for term in vocabulary.processes.values() if term.offered]
        processes = process_table(offered)
        table = f"Families and their processes\n{processes}"
        self.instructions = f"{TASK}\n{rules(FORMED_IN_DATA)}\n\n{table}"
        self.chapter = f"{CHAPTER}\n{rules(FORMED_BY_NAME)}\n\n{table}"
        use = {"process": enum_schema(t.key for t in offered), "line": {"type": "integer"}}
        self.properties = {
            "uses": array_schema(object_schema(use)),
            "confidence": enum_schema(Confidence),
        }
        # Families and formed marks reach the model with the products, so the version must cover
        # them.
        self.shown_besides = [
            f"{term.key} {term.family} {term.includes_forming}"
            for term in vocabulary.materials.values()
        ]

    @override
    def row(self, subject: Subject) -> dict[str, Any]:
        """The product with the materials of its bill. Asking without a bill is a programming
        error.
        """
        return {**super().row(subject), "materials": self._material_rows(subject)}

    @override
    def read(self, subject: Subject, entry: Entry) -> ManufacturingProcesses:
        """The valid processes, by the rules in the module's docstring."""
        bill = bill_of(subject)
        stated = dict.fromkeys(self._read_use(part, bill) for part in parts(entry, "uses"))
        allowed = [use for use in stated if not self._is_formed(use)]
        kept = tuple(use for use in allowed if self._is_for_family(use))
        if len(kept) > MAX_USES:
            raise ImplausibleAnswer(
                f"the answer has {len(kept)} processes; at most {MAX_USES} are allowed."
            )
        sureness = confidence(entry)
        nothing_left = bool(allowed) and not kept
        return ManufacturingProcesses(kept, Confidence.LOW if nothing_left else sureness)

    @override
    def encode(self, answer: ManufacturingProcesses) -> dict[str, Any]:
        return {
            "uses": [
                {"process": use.process, "material": use.material, "line": use.line}
                | use.known.known()
                for use in answer.uses
            ],
            "confidence": answer.confidence.value,
        }

    @override
    def decode(self, data: Mapping[str, Any]) -> ManufacturingProcesses:
        uses = (
            ProcessUse(
                str(use["process"]),
                str(use["material"]),
                _line_number(use),
                ProcessFacts.from_stored(use),
            )
            for use in data["uses"]
        )
        return ManufacturingProcesses(tuple(uses), Confidence(data["confidence"]))

    @override
    def usual_answer(self) -> ManufacturingProcesses:
        uses = zip(list(self._processes)[:USUAL_USES], self._materials, strict=False)
        numbered = enumerate(uses, start=1)
        return ManufacturingProcesses(
            tuple(ProcessUse(process, material, line) for line, (process, material) in numbered),
            Confidence.MEDIUM,
        )

    @override
    def can_be_true(self, answer: ManufacturingProcesses) -> bool:
        return all(use.process in self._processes for use in answer.uses)

    @override
    def rests_on(self, answer: ManufacturingProcesses, before: Mapping[StepName, Answer]) -> bool:
        """Whether every worked line is in the bill."""
        bill = before.get(BillOfMaterials.step)
        if not isinstance(bill, BillOfMaterials):
            return True
        materials = [line.material for line in bill.lines]
        return all(
            use.material in (materials if use.line is None else materials[use.line - 1 : use.line])
            for use in answer.uses
        )

    @override
    def correct(
        self, subject: Subject, answer: ManufacturingProcesses, path: Path, value: Any
    ) -> ManufacturingProcesses:
        """The answer with the processes of one line replaced by `value`, a list in their order; or
        with one fact of them, which `value` has for all of them or as a list, for each.

        A process that was done to the line before keeps what is known of it; one that is new is
        done in the country of the others, where that is one.

        Raises:
            AnswerMalformed: there is no such line, or `value` is no list of known processes.
            ImplausibleAnswer: one cannot be applied to the line's material, because it is not
                for its family or the material's factor covers shaping already; or nothing is done
                to the line that a fact could be about.
        """
        bill = bill_of(subject)
        number = line_number(path, bill)
        if number is None or len(path) > 3:
            raise AnswerMalformed(_NO_SUCH_VALUE)
        uses = list(dict.fromkeys(_one_for_each_line(answer.uses, bill)))
        done = [use for use in uses if use.line == number]
        others = [use for use in uses if use.line != number]
        if len(path) == 3:
            return replace(answer, uses=(*others, *self._with_fact(done, number, path[2], value)))
        if not isinstance(value, list):
            raise AnswerMalformed(
                'give a list of processes, such as ["injection_moulding"]; [] means none.'
            )
        stated = dict.fromkeys(self._given_use(one, number, bill, done) for one in value)
        for use in stated:
            if self._is_formed(use) or not self._is_for_family(use):
                raise ImplausibleAnswer(
                    f"{use.process} cannot be applied to {use.material}: it is for other families of "
                    "materials, or the material's factor already includes shaping. Leave it out, or "
                    "choose another process."
                )
        return replace(answer, uses=(*others, *stated))

    @override
    def value_at(self, answer: ManufacturingProcesses, path: Path) -> Any:
        """The processes of one line, or one fact of them, as JSON: a list with the fact of each
        process where they differ.
        """
        if len(path) not in (2, 3) or path[0] != LINES:
            raise AnswerMalformed(_NO_SUCH_VALUE)
        done = [use for use in answer.uses if str(use.line) == path[1]]
        if len(path) == 2:
            return [_entry_of(use) for use in done]
        if path[2] not in ProcessFacts._fields:
            raise AnswerMalformed(_NO_SUCH_VALUE)
        values = [getattr(use.known, path[2]) for use in done]
        return values if len(set(values)) > 1 else next(iter(values), None)

    @override
    def choices(self, path: Path) -> Mapping[str, str]:
        """Key → name of the processes, or of the countries for that fact; empty: any value."""
        if len(path) == 3:
            return self._countries if path[2] == "country" else {}
        return {term.key: term.name for term in self._processes.values()}

    @override
    def recorded_as(self, answer: ManufacturingProcesses, path: Path, value: Any) -> Recorded:
        """All processes of the line, also for a correction of one fact: it is about these processes
        and no others.
        """
        return path[:2], self.value_at(answer, path[:2])

    @override
    def follow(
        self, answer: ManufacturingProcesses, subject: Subject, base: Subject
    ) -> ManufacturingProcesses:
        """The answer with each process on its line, whatever material the line is corrected to.
        Where the whole bill is another, a process goes to a line of its material, or else to the
        line with the same number.

        A process that the new material cannot have is left out by the calculation, with a note.
        """
        materials = [line.material for line in bill_of(subject).lines]
        before = [line.material for line in bill_of(base).lines]
        kept = []
        for use in answer.uses:
            numbers = worked_lines(use, bill_of(base))
            if not numbers and use.material in before:
                numbers = [before.index(use.material) + 1]
            elif not numbers and use.line is not None and use.line <= len(before):
                numbers = [use.line]
            kept += [use._replace(material=materials[n - 1], line=n) for n in numbers]
        return replace(answer, uses=tuple(dict.fromkeys(kept)))

    @override
    def anchor(self, path: Path, subject: Subject) -> str | None:
        """The material of the line that `path` leads to."""
        return line_anchor(path, bill_of(subject))

    @override
    def relocate(self, path: Path, anchor: str | None, subject: Subject) -> Path:
        """The path to the line with the material `anchor`."""
        return relocated(path, anchor, bill_of(subject))

    def _material_rows(self, subject: Subject) -> list[dict[str, Any]]:
        """The lines of the bill as the model sees them, numbered from 1."""
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(bill_of(subject).lines, start=1):
            row: dict[str, Any] = {
                "line": number,
                "material": line.material,
                "component": line.component,
                "mass_kg": float(f"{line.mass_kg:.3g}"),
            }
            term = self._materials.get(line.material)
            if term is not None:
                row["family"] = term.family
                if term.includes_forming:
                    row["formed"] = True
            rows.append(row)
        return rows

    def _read_use(self, part: Entry, bill: BillOfMaterials) -> ProcessUse:
        """One process of the model's answer. Raises AnswerError if it does not fit the bill."""
        process = choice(part, "process", self._processes)
        number = part.get("line")
        if isinstance(number, bool) or not isinstance(number, int):
            raise AnswerMalformed(
                f'"line" is {shown(number)}; it must be the number of a line of the bill.'
            )
        if not 1 <= number <= len(bill.lines):
            raise ImplausibleAnswer(
                f"{process} was given to line {number}; the bill of materials has "
                f"{counted(len(bill.lines), 'line')}."
            )
        return ProcessUse(process, bill.lines[number - 1].material, number)

    def _given_use(
        self, entry: Any, number: int, bill: BillOfMaterials, before: Sequence[ProcessUse]
    ) -> ProcessUse:
        """A use as a person gives it: the key of a process, or a dictionary with its facts too.
        Facts that are not given stay as they are in `before`, the present uses of the line.
        """
        facts = {**entry} if isinstance(entry, dict) else {"process": entry}
        process = facts.pop("process", None)
        use = self._read_use({"process": process, "line": number}, bill)
        kept = next((old.known for old in before if old.process == use.process), None)
        if kept is None:
            countries = {old.known.country for old in before}
            kept = ProcessFacts(countries.pop() if len(countries) == 1 else None)
        checked = {n: process_fact(n, v, self._countries) for n, v in facts.items()}
        return use._replace(known=kept._replace(**checked))

    def _with_fact(
        self, done: Sequence[ProcessUse], number: int, name: str, value: Any
    ) -> list[ProcessUse]:
        """The uses of a line with one fact changed: to the same value for all, or to those of a
        list, one for each.
        """
        if not done:
            process_fact(name, None, self._countries)
            raise ImplausibleAnswer(
                f"no process is listed for line {number}, so it has no country or energy to "
                "correct. Add its processes first, or give a factor for the material."
            )
        values = value if isinstance(value, list) else [value]
        if values == [None] or (len(values) == 1 and name not in ENERGY_USED):
            values = values * len(done)
        if len(values) != len(done):
            raise ImplausibleAnswer(
                f"line {number} has {counted(len(done), 'process', 'processes')} "
                f"({', '.join(use.process for use in done)}), and {counted(len(values), 'value')} "
                "given: give one value for each process, in this order."
            )
        checked = [process_fact(name, one, self._countries) for one in values]
        return [
            use._replace(known=use.known._replace(**{name: one}))
            for use, one in zip(done, checked, strict=True)
        ]

    def _is_formed(self, use: ProcessUse) -> bool:
        """Whether the material's factor covers its shaping already."""
        term = self._materials.get(use.material)
        return term is not None and term.includes_forming

    def _is_for_family(self, use: ProcessUse) -> bool:
        """Whether the process is for the family of its material."""
        term = self._materials.get(use.material)
        return term is not None and term.family in self._processes[use.process].families


def worked_lines(use: ProcessUse, bill: BillOfMaterials) -> list[int]:
    """The numbers of the lines that a use is applied to.

    Answers to earlier questions name the material alone.
    """
    same = [n for n, line in enumerate(bill.lines, start=1) if line.material == use.material]
    return same if use.line is None else [n for n in same if n == use.line]


def _one_for_each_line(uses: Iterable[ProcessUse], bill: BillOfMaterials) -> Iterator[ProcessUse]:
    """The uses with the number of a line; a use that names its material alone comes once for each
    line of that material.
    """
    for use in uses:
        for number in worked_lines(use, bill):
            yield use._replace(line=number)


def _entry_of(use: ProcessUse) -> Any:
    """A use as a correction names it: the key of its process, or a dictionary where facts are
    known.
    """
    known = use.known.known()
    return {"process": use.process, **known} if known else use.process


def _line_number(use: Mapping[str, Any]) -> int | None:
    """The number of the line in a stored use; None in answers to earlier versions of the
    question.
    """
    number = use.get("line")
    return None if number is None else int(number)


def process_table(processes: Iterable[ProcessTerm]) -> str:
    """One line for each set of families: "steel, stainless: steel_forging, …"."""
    rows: dict[str, list[str]] = {}
    for process in processes:
        rows.setdefault(", ".join(sorted(process.families)), []).append(process.key)
    return "\n".join(f"- {families}: {', '.join(keys)}" for families, keys in rows.items())


def bill_of(subject: Subject) -> BillOfMaterials:
    """The bill that this step needs. Asking without one is a programming error."""
    bill = subject.answer(BillOfMaterials)
    if bill is None:
        raise TypeError(f"{subject.product.code} has no bill of materials yet.")
    return bill
