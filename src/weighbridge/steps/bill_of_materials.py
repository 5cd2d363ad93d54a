"""Step 2: what is it made of? Materials from the closed list, with their masses in one unit.

The model divides; the arithmetic is ours. Where the weight is known, the masses are scaled to it
here, and `stated_mass_kg` keeps what the model's masses added up to (data quality looks at the
difference). Where the model says that the weight cannot be that of one unit, its own masses stand
and count as inferred.
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from weighbridge.domain.answers import (
    NO_LONGER_ASKED,
    Attribute,
    AttributeBasis,
    BillOfMaterials,
    BomLine,
    Classification,
    Confidence,
    WeightBasis,
)
from weighbridge.domain.bill_lines import line_anchor, line_number, relocated
from weighbridge.errors import AnswerError, AnswerMalformed, ImplausibleAnswer
from weighbridge.steps.base import Refusal, Step
from weighbridge.steps.copied_bills import refuse_copies
from weighbridge.steps.fields import (
    choice,
    confidence,
    finite_number,
    optional_flag,
    parts,
    plain_text,
)
from weighbridge.steps.mass_units import MAX_DEVIATION, refuse_other_units, unchecked_masses_reason
from weighbridge.steps.misplaced import refuse_misplaced_bills
from weighbridge.steps.schemas import array_schema, enum_schema, object_schema
from weighbridge.steps.shown import ShownField

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Answer, Subject, Vocabulary
    from weighbridge.domain.corrections import Path
    from weighbridge.domain.products import Product
    from weighbridge.steps.replies import Entry

MAX_LINES: Final = 25
"""The most lines of a bill."""
USUAL_LINES: Final = 5
"""How many lines a typical bill has: in the sample catalogue 4.7 in the recorded answers, 4.2 in
those of the simulator.
"""
LIGHTEST_KG: Final = 1e-6
HEAVIEST_KG: Final = 1e5
"""The largest mass of one unit that is accepted from the model where no weight is given, or from a
person who corrects it; `LIGHTEST_KG` is the smallest.
"""
SMALLEST_LINE_KG: Final = 1e-9
"""The least mass of a line: a microgram. Also keeps scaled masses clear of the smallest number that
a float can hold.
"""
COMPONENT_CHARACTERS: Final = 80
"""How many characters are kept, at most, of the text that says which part of the product a line of
the bill is.
"""
ATTRIBUTE_LIMIT: Final = 12
"""The most attributes that are kept of an answer."""
_BASES: Final = frozenset(basis.value for basis in AttributeBasis)
_WEIGHT_BASES: Final = frozenset(basis.value for basis in WeightBasis)

_NO_SUCH_VALUE: Final = (
    "there is no such value. Choose mass_kg, attributes.NAME, lines, or lines.N.material, "
    "lines.N.mass_kg or lines.N.component, where N is 1 for the first line."
)

TASK: Final = """\
You write bills of materials for carbon footprints: what one unit of a product is made of, with masses. "category" says what the product was found to be."""
CHAPTER: Final = """\
What it is made of: "materials", the bill of materials of one unit with masses, "weight_plausible", "weight_basis" and "attributes"."""
LINE_RULES: Final = f"""\
Masses
- All masses are kilograms in one unit as it is sold (5 g is 0.005). Every mass is above 0.
- If "weight_kg" is a number, the masses add up to it. If it is null, estimate what one such unit weighs and let the masses add up to that.
- "weight_plausible": null if weight_kg is null; true if one unit can weigh that; false if it cannot (a phone of 1000 kg, a sofa of 0.08 kg: a slip of the unit). If false, ignore weight_kg and give the masses of a realistic unit. Unusual is not impossible.
- "weight_basis": what weight_kg is the weight of. "unit" nearly always, and if weight_kg is null. "gross": with shipping packaging (list it, component "packaging"). "pack": several identical pieces. "pallet". "declared unit": a kilogram, a tonne or a cup that stands for the product. Only what the data says counts.

Materials
- 1 to {MAX_LINES} lines, the heaviest first; most products need 3 to 8, computers and vehicles more. A line is one part or group of parts of one material. The same material has a second line only for parts that are made in another way (cast and extruded aluminium). Add what is below 0.5 % of the mass to the line that is most like it, except electronics, batteries and precious metals: there grams matter.
- "component" says in two or three words what it is in the product: "seat shell".
- Choose the key whose substance is right; the list is ordered by families. If it is missing, take the closest in kind and make ("confidence" is then not "high"). Endings that name a country (uk, fr, us) tell where the figure was measured, not where the product comes from: ignore them.
- Take "recycled", "organic", "primary" or another special kind only if the data says so. Ordinary aluminium is aluminium_ordinary; ordinary steel sheet is steel_cold_rolled, sections and tubes steel_ordinary_section, bars and wire steel_bar.
- A complete part with a key of its own (motor, battery, tyre, screws, power supply, drive, display module, circuit board) is one line with that key, unless that part is the product itself: then it is taken apart. Everything else is taken apart into plain materials. Keys for whole finished articles (clothing, appliances, IT equipment, "average") are only for products of which nothing but the kind is known.
- A "pcb_assembled" key holds the board with all its chips: no "ic" line beside it. "ic" keys are for loose chips; their mass is that of the package, without a cooler.
- A plastic part is its resin; shaping is asked elsewhere. A textile is its finished fabric if there is a key for it, otherwise its fibre.
- Mixtures (food, drinks, detergents, cosmetics, paint) are taken apart into main ingredients, water included.
- Packaging counts only where the data mentions it, or where the product cannot be sold without it (the bottle of a shampoo), within the weight."""
KNOWN_MODELS: Final = """\
- A name that is a known model tells more than a generic or wrong word in the description."""
ATTRIBUTE_RULES: Final = """\
Attributes
- "attributes": facts that decide more than mass. [] for nearly all products. For a device with a display, memory, storage, a rechargeable battery or a processor: what it has of these, each once, usual values where the data is silent (hard_disks and processors count pieces; the part keeps its line in "materials" as well). For packs of identical pieces pieces_per_pack, only if the data says so.
- "basis": "stated" if the data says so, "inferred" if it is what is usual."""


class BillOfMaterialsStep(Step[BillOfMaterials]):
    """What each product is made of."""

    name = BillOfMaterials.step
    fields: ClassVar = (
        ShownField(
            "bill",
            "billOfMaterials",
            "What one unit is made of.",
            {"material": str, "mass_kg": float, "component": str},
            lambda answer: [line._asdict() for line in answer.lines],
        ),
        ShownField(
            "attributes",
            "attributes",
            "Facts that matter more than the mass, such as memory, displays or pieces per pack.",
            {"name": str, "value": float, "basis": str},
            lambda answer: [
                {"name": one.name, "value": one.value, "basis": one.basis.value}
                for one in answer.attributes
            ],
        ),
        ShownField(
            "weight_basis",
            "weightBasis",
            "What the catalogue's weight covers (net, gross, pack, pallet, or a declared unit such as one kilogram that stands for the product); null where the model was not asked, or the weight was not used.",
            str,
            lambda answer: answer.weight_basis and answer.weight_basis.value,
        ),
    )
    needs = (Classification.step,)
    rules_number = 2
    instructions = f"{TASK}\n\n{LINE_RULES}\n{KNOWN_MODELS}\n\n{ATTRIBUTE_RULES}"
    chapter = f"{CHAPTER}\n{LINE_RULES}\n\n{ATTRIBUTE_RULES}"  # step 1 speaks of known models
    about = "materials"
    sees_image = True
    corrections_add_up = True
    output_tokens_per_product = 400

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._materials = vocabulary.materials
        offered = (term for term in vocabulary.materials.values() if term.offered)
        line = {
            "material": enum_schema(t.key for t in sorted(offered, key=attrgetter("family"))),
            "mass_kg": {"type": "number"},
            "component": {"type": "string"},
        }
        attribute = {
            "name": enum_schema(vocabulary.attributes),
            "value": {"type": "number"},
            "basis": enum_schema(AttributeBasis),
        }
        self._attributes = frozenset((*vocabulary.attributes, *NO_LONGER_ASKED))
        self.properties = {
            "weight_plausible": {"type": ["boolean", "null"]},
            "weight_basis": enum_schema(WeightBasis),
            "materials": array_schema(object_schema(line)),
            "attributes": array_schema(object_schema(attribute)),
            "confidence": enum_schema(Confidence),
        }

    @override
    def read(self, subject: Subject, entry: Entry) -> BillOfMaterials:
        """A plausible bill, scaled to the known weight."""
        stated = tuple(self._read_line(part) for part in parts(entry, "materials"))
        if not 1 <= len(stated) <= MAX_LINES:
            raise ImplausibleAnswer(
                f"the bill has {len(stated)} materials; 1 to {MAX_LINES} are allowed."
            )
        flag = optional_flag(entry, "weight_plausible")
        bill = weighed_bill(stated, subject.product.weight_kg, flag, confidence(entry))
        if bill.mass_inferred and subject.doubted_unit:
            raise ImplausibleAnswer(unchecked_masses_reason(subject.doubted_unit))
        attributes, notes = self._read_attributes(entry)
        return replace(
            bill, attributes=attributes, weight_basis=_weight_basis(entry, bill), notes=notes
        )

    @override
    def encode(self, answer: BillOfMaterials) -> dict[str, Any]:
        return {
            "lines": [
                {"material": line.material, "mass_kg": line.mass_kg, "component": line.component}
                for line in answer.lines
            ],
            "stated_mass_kg": answer.stated_mass_kg,
            "mass_inferred": answer.mass_inferred,
            "weight_plausible": answer.weight_plausible,
            "weight_basis": answer.weight_basis and answer.weight_basis.value,
            "attributes": [
                {"name": a.name, "value": a.value, "basis": a.basis.value}
                for a in answer.attributes
            ],
            "notes": list(answer.notes),
            "confidence": answer.confidence.value,
        }

    @override
    def decode(self, data: Mapping[str, Any]) -> BillOfMaterials:
        plausible = data["weight_plausible"]
        return BillOfMaterials(
            lines=tuple(
                BomLine(str(line["material"]), float(line["mass_kg"]), str(line["component"]))
                for line in data["lines"]
            ),
            stated_mass_kg=float(data["stated_mass_kg"]),
            mass_inferred=bool(data["mass_inferred"]),
            weight_plausible=None if plausible is None else bool(plausible),
            confidence=Confidence(data["confidence"]),
            # Answers to earlier versions of the question have none of these.
            attributes=tuple(
                Attribute(str(a["name"]), float(a["value"]), AttributeBasis(a["basis"]))
                for a in data.get("attributes", ())
            ),
            weight_basis=WeightBasis(data["weight_basis"]) if data.get("weight_basis") else None,
            notes=tuple(map(str, data.get("notes", ()))),
        )

    @override
    def for_sibling(
        self, answer: BillOfMaterials, asked: Product, sibling: Product
    ) -> BillOfMaterials:
        """The bill scaled to the sibling's own weight, and so are the masses that the model stated;
        unchanged where one of the weights is not known or is doubted.
        """
        if asked.weight_kg is None or sibling.weight_kg is None or not answer.weight_plausible:
            return answer
        ratio = sibling.weight_kg / asked.weight_kg
        stated = answer.stated_mass_kg * ratio / answer.mass_kg
        lines = tuple(line._replace(mass_kg=line.mass_kg * stated) for line in answer.lines)
        return weighed_bill(lines, sibling.weight_kg, True, answer.confidence)

    @override
    def usual_answer(self) -> BillOfMaterials:
        """A bill of as many lines as bills usually have."""
        materials = list(self._materials)[:USUAL_LINES]
        return BillOfMaterials(
            lines=tuple(BomLine(material, 0.2, "outer shell") for material in materials),
            stated_mass_kg=0.2 * len(materials),
            mass_inferred=False,
            weight_plausible=True,
            confidence=Confidence.MEDIUM,
            weight_basis=WeightBasis.UNIT,
        )

    @override
    def can_be_true(self, answer: BillOfMaterials) -> bool:
        return all(line.material in self._materials for line in answer.lines)

    @override
    def refuse_among(
        self,
        answers: Mapping[str, Answer],
        group: Sequence[Subject],
        refused: Sequence[Refusal] = (),
    ) -> tuple[Refusal, ...]:
        """Refuse bills in another unit than kilograms, copied from another product, or swapped."""
        if others := refuse_other_units(answers, refused, group):
            return others
        # Copies are certain, so they come first; refusing a product twice would count as two
        # attempts.
        copies = refuse_copies(answers, group)
        return copies or refuse_misplaced_bills(answers, group)

    @override
    def correct(
        self, subject: Subject, answer: BillOfMaterials, path: Path, value: Any
    ) -> BillOfMaterials:
        """The bill with its mass, an attribute, one line's material, mass or component, or all
        lines overridden.
        """
        match path:
            case ("mass_kg",):
                return _scaled_to(answer, finite_number({"mass_kg": value}, "mass_kg"))
            case ("attributes", name):
                return self._with_attribute(answer, name, value)
            case ("lines",):
                lines = tuple(self._read_line(part) for part in parts({"lines": value}, "lines"))
                whole = _with_lines(subject, answer, lines)
                return replace(whole, mass_inferred=False, weight_plausible=True)
            case ("lines", _, "material" | "mass_kg" | "component" as field):
                number = line_number(path, answer) or 0
                part = answer.lines[number - 1]._asdict() | {field: value}
                lines = tuple(
                    self._read_line(part) if place == number else line
                    for place, line in enumerate(answer.lines, start=1)
                )
                return _with_lines(subject, answer, lines)
            case _:
                raise AnswerMalformed(_NO_SUCH_VALUE)

    @override
    def value_at(self, answer: BillOfMaterials, path: Path) -> Any:
        """What `correct` would override, as JSON; None for an attribute that the bill does not
        have.
        """
        match path:
            case ("mass_kg",):
                return float(f"{answer.mass_kg:.12g}")  # without what adding up leaves
            case ("attributes", name):
                return next((a.value for a in answer.attributes if a.name == name), None)
            case ("lines",):
                return [line._asdict() for line in answer.lines]
            case ("lines", _, "material" | "mass_kg" | "component" as field):
                number = line_number(path, answer) or 0
                return answer.lines[number - 1]._asdict()[field]
            case _:
                raise AnswerMalformed(_NO_SUCH_VALUE)

    @override
    def choices(self, path: Path) -> Mapping[str, str]:
        """Key → name of the materials or attributes that the value at `path` is chosen from; empty:
        any value.
        """
        match path:
            case ("lines",) | ("lines", _, "material"):
                return {term.key: term.name for term in self._materials.values()}
            case ("attributes",):
                return {name: name.replace("_", " ") for name in sorted(self._attributes)}
            case _:
                return {}

    @override
    def anchor(self, path: Path, subject: Subject) -> str | None:
        """The material of the line that `path` leads to."""
        bill = subject.answer(BillOfMaterials)
        return None if bill is None else line_anchor(path, bill)

    @override
    def relocate(self, path: Path, anchor: str | None, subject: Subject) -> Path:
        """The path to the line with the material `anchor`."""
        bill = subject.answer(BillOfMaterials)
        return path if bill is None else relocated(path, anchor, bill)

    def _with_attribute(self, answer: BillOfMaterials, name: str, value: Any) -> BillOfMaterials:
        """The bill with this value of an attribute, stated by a person; None takes the attribute
        away.
        """
        choice({"attribute": name}, "attribute", self._attributes)
        others = tuple(a for a in answer.attributes if a.name != name)
        if value is None:
            return replace(answer, attributes=others)
        number = finite_number({name: value}, name)
        if number <= 0:
            raise ImplausibleAnswer(f'"{name}" has to be above 0, or null to remove the attribute.')
        stated = Attribute(name, number, AttributeBasis.STATED)
        return replace(answer, attributes=(*others, stated))

    def _read_attributes(self, entry: Entry) -> tuple[tuple[Attribute, ...], tuple[str, ...]]:
        """The usable attributes in an entry, and notes on those that were dropped. A wrong one
        never makes the answer unusable.
        """
        found: dict[str, Attribute] = {}
        notes = []
        stated = entry.get("attributes")
        for part in stated if isinstance(stated, list) else []:
            try:
                name = choice(part, "name", self._attributes)
                basis = AttributeBasis(choice(part, "basis", _BASES))
                value = finite_number(part, "value")
            except (AnswerError, AttributeError) as error:
                notes.append(f"an attribute was dropped: {error}")
                continue
            if value < 0:
                notes.append(f"an attribute was dropped: {name} of {value:g}, which is below 0")
            elif value > 0 and len(found) < ATTRIBUTE_LIMIT:
                found.setdefault(name, Attribute(name, value, basis))
        return tuple(found.values()), tuple(notes)

    def _read_line(self, part: Entry) -> BomLine:
        """The line that an entry of a list describes. Raises AnswerError where it cannot be one."""
        material = choice(part, "material", self._materials)
        mass_kg = finite_number(part, "mass_kg")
        if mass_kg < SMALLEST_LINE_KG:
            raise ImplausibleAnswer(
                f"{material} has a mass of {mass_kg:g} kg; every mass has to be above 0."
            )
        return BomLine(material, mass_kg, plain_text(part.get("component"), COMPONENT_CHARACTERS))


def _scaled_to(answer: BillOfMaterials, mass_kg: float) -> BillOfMaterials:
    """The bill scaled to the mass that a person gives: the catalogue's weight no longer counts."""
    if not LIGHTEST_KG <= mass_kg <= HEAVIEST_KG:
        raise ImplausibleAnswer(
            f"no single product weighs {mass_kg:g} kg. Give a mass from {LIGHTEST_KG:f} to "
            f"{HEAVIEST_KG:,.0f} kg."
        )
    scale = mass_kg / answer.mass_kg
    return replace(
        answer,
        lines=tuple(line._replace(mass_kg=line.mass_kg * scale) for line in answer.lines),
        stated_mass_kg=mass_kg,
        mass_inferred=False,
        weight_plausible=True,
    )


def _with_lines(
    subject: Subject, answer: BillOfMaterials, lines: tuple[BomLine, ...]
) -> BillOfMaterials:
    """The bill with these lines, whose masses are not scaled. Raises ImplausibleAnswer where they
    are far from a weight that is believed.
    """
    if not 1 <= len(lines) <= MAX_LINES:
        raise ImplausibleAnswer(f"the bill has {len(lines)} lines; 1 to {MAX_LINES} are allowed.")
    weight_kg = subject.product.weight_kg
    if weight_kg and abs(answer.mass_kg - weight_kg) > MAX_DEVIATION * weight_kg:
        weight_kg = None  # somebody knows it better than the catalogue
    mass_kg = sum(line.mass_kg for line in lines)
    weighed_bill(lines, weight_kg, answer.weight_plausible, answer.confidence)
    return replace(answer, lines=lines, stated_mass_kg=mass_kg)


def _weight_basis(entry: Entry, bill: BillOfMaterials) -> WeightBasis | None:
    """What the weight is the weight of; None where no weight counts, and where the question did not
    ask.
    """
    named = entry.get("weight_basis")
    if bill.mass_inferred or not isinstance(named, str) or named not in _WEIGHT_BASES:
        return None
    return WeightBasis(named)


def weighed_bill(
    stated: tuple[BomLine, ...],
    weight_kg: float | None,
    weight_plausible: bool | None,
    sureness: Confidence,
) -> BillOfMaterials:
    """The bill scaled to the product's weight where that is known and plausible; otherwise with the
    masses as stated, marked as inferred.

    Raises ImplausibleAnswer when the masses cannot be those of one unit.
    """
    stated_mass_kg = sum(line.mass_kg for line in stated)
    if weight_kg is None or weight_plausible is False:
        if not LIGHTEST_KG <= stated_mass_kg <= HEAVIEST_KG:
            raise ImplausibleAnswer(
                f"the masses add up to {stated_mass_kg:g} kg, which no single product weighs. "
                "Give the product's weight in the catalogue."
            )
        believed = None if weight_kg is None else False
        return BillOfMaterials(stated, stated_mass_kg, True, believed, sureness)
    if abs(stated_mass_kg - weight_kg) > MAX_DEVIATION * weight_kg:
        raise ImplausibleAnswer(
            f"the masses add up to {stated_mass_kg:g} kg, the catalogue says {weight_kg:g} kg. "
            "Check that the catalogue's weight is in kilograms and of one unit.",
            stated_mass_kg,
        )
    scale = weight_kg / stated_mass_kg
    lines = tuple(BomLine(line.material, line.mass_kg * scale, line.component) for line in stated)
    return BillOfMaterials(lines, stated_mass_kg, False, True, sureness)
