"""Any sequence of corrections, take-backs, own bills, recomputations and new answers leaves what a
plain model of the bill says, through the real services.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.application import program
from weighbridge.domain.corrections import read_change
from weighbridge.service.desk.bill_files import OwnBills, OwnLine
from weighbridge.service.desk.correcting import Request, correct, corrections_of, take_back
from weighbridge.service.desk.own_bills import give_bills
from weighbridge.service.desk.recomputing import completed_ids, recompute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.application import RunningProgram

EXAMPLES = 20
CODE = "P-001"
PLASTICS = ("abs_resin", "pp_resin", "pmma_resin", "pc_resin", "pet_resin")
PROCESSES = ("injection_moulding", "thermoforming", "blow_moulding", "plastic_extrusion")
KINDS = ("Laptops", "Reusable bottles & flasks")
OWN_FACTOR, NAME_OF_OWN_FACTOR = "abs_resin", "ABS resin"
ATTRIBUTES = "bill_of_materials.attributes."
CHANGES = (
    *("material", "line mass", "processes", "mass", "bill"),
    *("pack", "kind", "factor", "own bill"),
)
OTHERS = ("recompute", "answer anew")
STEPS = 10
LINES = st.tuples(st.sampled_from(PLASTICS), st.sampled_from((0.125, 0.25, 0.5)))


class Line(NamedTuple):
    """A line of the model's own bill, and what it says is done to it."""

    material: str
    mass_kg: float
    processes: tuple[str, ...]


ANSWERED = (
    Line("abs_resin", 0.4, ("injection_moulding",)),
    Line("pp_resin", 0.1, ("blow_moulding", "thermoforming")),
    Line("pmma_resin", 0.3, ()),
)


class Made(NamedTuple):
    """A correction that holds. `line`: its place when it was made, and what was there before any
    single line was corrected.
    """

    number: int
    what: str
    value: Any
    line: tuple[int, str] | None = None


@dataclass
class Model:
    """What a product should be: the answers as they are given now, and what people changed."""

    answered: Sequence[Line] = ANSWERED
    made: list[Made] = field(default_factory=list)

    def whole_bill(self) -> Sequence[tuple[str, float]]:
        """The bill before its single lines are corrected."""
        bills = [each.value for each in self.made if each.what == "bill"]
        return bills[-1] if bills else [(line.material, line.mass_kg) for line in self.answered]

    def bill(self) -> list[tuple[str, float]]:
        """The bill with everything that holds, one after the other."""
        whole = [(line.material, line.mass_kg) for line in self.answered]
        lines = list(whole)
        for each in self.made:
            if each.what == "bill":
                whole, lines = list(each.value), list(each.value)
            elif each.what == "mass":
                scale = each.value / sum(mass for _, mass in lines)
                lines = [(material, mass * scale) for material, mass in lines]
            elif each.what in ("material", "line mass"):
                at = place([material for material, _ in whole], each.line)
                if at is not None:
                    material, mass = lines[at]
                    is_material = each.what == "material"
                    lines[at] = (each.value, mass) if is_material else (material, each.value)
        return lines

    def processes(self) -> list[tuple[str, ...]]:
        """What is done to each line."""
        materials = [material for material, _ in self.whole_bill()]
        done: list[tuple[str, ...]] = [() for _ in materials]
        for number, line in enumerate(self.answered):
            at = number if materials[number : number + 1] == [line.material] else None
            if at is None and line.material in materials:
                at = materials.index(line.material)
            at = number if at is None else at
            if at < len(done):
                done[at] = tuple(dict.fromkeys((*done[at], *line.processes)))
        for each in self.made:
            if each.what == "processes":
                at = place(materials, each.line)
                if at is not None:
                    done[at] = each.value
        return done

    def one(self, what: str, otherwise: Any) -> Any:
        """The latest value of this kind."""
        return next((each.value for each in reversed(self.made) if each.what == what), otherwise)


def place(materials: Sequence[str], line: tuple[int, str] | None) -> int | None:
    """Where a line is in a bill of these materials, if that is certain."""
    assert line is not None
    number, material = line
    if materials[number : number + 1] == [material]:
        return number
    return materials.index(material) if materials.count(material) == 1 else None


class Desk:
    """The services, and the model beside them."""

    def __init__(self, running: RunningProgram) -> None:
        self.running = running
        self.model = Model()
        self.tools = (running.app.database, running.app.factors, running.app.questions.steps)

    async def change(
        self, what: str, target: str, value: Any, held: Any, line: tuple[int, str] | None = None
    ) -> None:
        """Correct one value; `held` is as the model has it."""
        request = Request((read_change(target, value),), "ana", "")
        await correct(*self.tools, [CODE], request)
        newest = (await corrections_of(self.running.app.database, CODE))[:1]
        known = {each.number for each in self.model.made}
        if newest and newest[0].withdrawn_at is None and newest[0].correction.id not in known:
            self.model.made.append(Made(newest[0].correction.id, what, held, line))

    async def own_bill(self, lines: Sequence[OwnLine]) -> None:
        """A file gives the whole bill: what was said of lines before is taken back."""
        bills = OwnBills({CODE: lines})
        given = await give_bills(*self.tools, bills, Request((), "ana", ""))
        if given.unchanged:
            return
        of_lines = ("bill", "material", "line mass", "processes")
        kept = [each for each in self.model.made if each.what not in of_lines]
        known = {each.number for each in self.model.made}
        new = [
            one.correction
            for one in reversed(await corrections_of(self.running.app.database, CODE))
            if one.correction.id not in known and one.withdrawn_at is None
        ]
        whole, *worked = new
        kept.append(Made(whole.id, "bill", [(line.material, line.mass_kg) for line in lines]))
        for correction in worked:
            at = int(correction.change.path[1]) - 1
            line = lines[at]
            kept.append(Made(correction.id, "processes", line.processes, (at, line.material)))
        self.model.made = kept

    async def take_back(self, number: int) -> None:
        await take_back(*self.tools, CODE, "ana", number)
        self.model.made = [each for each in self.model.made if each.number != number]

    async def answer_anew(self, lines: Sequence[Line]) -> None:
        """The model gives its lines in this order from now on, and the product is done again."""
        self.model.answered = lines
        bill = [{"material": m, "mass_kg": kg, "component": "part"} for m, kg, _ in lines]
        uses = [
            {"process": process, "material": line.material, "line": number}
            for number, line in enumerate(lines, start=1)
            for process in line.processes
        ]
        for step, part in (
            ("bill_of_materials", {"lines": bill}),
            ("manufacturing", {"uses": uses}),
        ):
            await self.running.fetch(
                "UPDATE answers SET answer = answer || $2 WHERE step = $1", step, part
            )
        await self.running.fetch("UPDATE products SET status = 'pending', completed_at = NULL")
        await self.running.until(completed=1)

    async def recompute(self) -> None:
        """What is stored is what a new calculation gives."""
        ids = await completed_ids(self.running.app.database, None)
        portions = [done async for done in recompute(*self.tools, ids)]
        assert not any(one.has_moved for done in portions for one in done)

    async def look(self) -> None:
        """The stored answers are what the model says."""
        stored = "SELECT detail FROM footprints f JOIN products p ON p.id = f.product_id"
        detail = await self.running.value(f"{stored} WHERE p.code = $1", CODE)
        answers, bill = detail["answers"], self.model.bill()
        lines = answers["bill_of_materials"]["lines"]
        assert [line["material"] for line in lines] == [material for material, _ in bill]
        assert [line["mass_kg"] for line in lines] == pytest.approx([mass for _, mass in bill])
        done: list[tuple[str, ...]] = [() for _ in lines]
        for use in answers["manufacturing"]["uses"]:
            assert lines[use["line"] - 1]["material"] == use["material"]
            done[use["line"] - 1] += (use["process"],)
        assert done == self.model.processes()
        packs = {one["name"]: one["value"] for one in answers["bill_of_materials"]["attributes"]}
        assert packs.get("pieces_per_pack") == self.model.one("pack", None)
        kind = self.model.one("kind", answers["classification"]["subcategory"])
        assert answers["classification"]["subcategory"] == kind
        footprint = detail["footprint"]
        named = f"factors.{OWN_FACTOR}", f"factor of {NAME_OF_OWN_FACTOR}"
        noted = [n for n in footprint["notes"] if any(name in n for name in named)]
        own = self.model.one("factor", None)
        is_there = any(material == OWN_FACTOR for material, _ in bill)
        assert [note.startswith("corrected: ") for note in noted] == [is_there] * (own is not None)
        corrected = {note for note in footprint["notes"] if note.startswith("corrected: ")}
        assert len(corrected) <= len(self.model.made)


async def _change(desk: Desk, draw: st.DataObject) -> None:
    """One correction of any kind."""
    bill = desk.model.bill()
    whole = desk.model.whole_bill()
    at = draw.draw(st.integers(0, len(bill) - 1), "line")
    line = (at, whole[at][0])
    plastic = draw.draw(st.sampled_from(PLASTICS), "material")
    mass = draw.draw(st.sampled_from((0.25, 0.5, 1.25)), "mass")
    worked = draw.draw(st.lists(st.sampled_from(PROCESSES), max_size=2, unique=True), "processes")
    bills = f"bill_of_materials.lines.{at + 1}."
    match draw.draw(st.sampled_from(CHANGES), "change"):
        case "material":
            await desk.change("material", f"{bills}material", plastic, plastic, line)
        case "line mass":
            await desk.change("line mass", f"{bills}mass_kg", mass, mass, line)
        case "processes":
            target = f"manufacturing.lines.{at + 1}"
            await desk.change("processes", target, worked, tuple(worked), line)
        case "mass":
            await desk.change("mass", "bill_of_materials.mass_kg", mass, mass)
        case "bill":
            lines = draw.draw(st.lists(LINES, min_size=1, max_size=4), "bill")
            stated = [{"material": m, "mass_kg": kg, "component": "part"} for m, kg in lines]
            await desk.change("bill", "bill_of_materials.lines", stated, lines)
        case "pack":
            pieces = draw.draw(st.sampled_from((None, 6.0, 12.0)), "pieces")
            await desk.change("pack", f"{ATTRIBUTES}pieces_per_pack", pieces, pieces)
        case "kind":
            kind = draw.draw(st.sampled_from(KINDS), "kind")
            await desk.change("kind", "classification.subcategory", kind, kind)
        case "factor" if any(material == OWN_FACTOR for material, _ in bill):
            await desk.change("factor", f"factors.{OWN_FACTOR}", mass, mass)
        case "own bill":
            given = draw.draw(st.lists(LINES, min_size=1, max_size=4), "own bill")
            column = draw.draw(st.sampled_from((None, tuple(worked))), "column of processes")
            await desk.own_bill([OwnLine(m, kg, "part", column) for m, kg in given])
        case _:
            pass


async def _step(desk: Desk, draw: st.DataObject) -> None:
    match draw.draw(st.sampled_from(("change",) * 6 + ("take back",) * 3 + OTHERS), "step"):
        case "take back" if desk.model.made:
            one = draw.draw(st.sampled_from(desk.model.made), "correction")
            await desk.take_back(one.number)
        case "recompute":
            await desk.recompute()
        case "answer anew":
            await desk.answer_anew(draw.draw(st.permutations(ANSWERED), "answer"))
        case _:
            await _change(desk, draw)


def test_any_sequence_leaves_what_a_plain_model_says(database_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        running = runner.run(stack.enter_async_context(program(database_url, tmp_path)))
        runner.run(running.add({"code": CODE}))
        runner.run(running.start())
        runner.run(running.until(completed=1))
        first = Desk(running)
        runner.run(first.answer_anew(ANSWERED))
        as_answered = runner.run(running.value("SELECT detail - 'cause' FROM footprints"))

        @settings(max_examples=EXAMPLES)
        @given(st.data())
        def walk(draw: st.DataObject) -> None:
            desk = Desk(running)
            if first.model != desk.model:  # an example that failed took nothing back
                runner.run(running.fetch("DELETE FROM corrections"))
                runner.run(desk.answer_anew(ANSWERED))
            first.model = desk.model
            for _ in range(draw.draw(st.integers(1, STEPS), "steps")):
                runner.run(_step(desk, draw))
                runner.run(desk.look())
            for made in draw.draw(st.permutations(desk.model.made), "order of taking back"):
                runner.run(desk.take_back(made.number))
                runner.run(desk.look())
            if desk.model.answered == ANSWERED:
                now = runner.run(running.value("SELECT detail - 'cause' FROM footprints"))
                assert now == as_answered

        try:
            walk()
        finally:
            runner.run(stack.aclose())
