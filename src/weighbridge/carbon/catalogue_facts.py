"""What the catalogue says of a product's materials, put into the bill: composition and recycled
share.

The model is shown both, and mostly follows them; here they count whatever the model did with them.
**Composition** ("80 % cotton, 20 % polyester"): the lines that it names share their mass as it
says. It counts where every part named has lines of its own, and the parts make a whole; otherwise a
note says what the bill lacks. **Recycled share** R of the mass: of every line whose material has a
recycled counterpart, the same part x becomes that,

    x = (R · mass - recycled already) / (what could be recycled and is not)

within 0 and 1. Where that is not enough, a note says how much could be counted.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.domain.answers import BomLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import BillOfMaterials, ManufacturingProcesses
    from weighbridge.domain.facts import ProductFacts

_PERCENTAGE: Final = re.compile(r"(?<!\d)(\d+(?:[.,]\d+)?)\s*%")
_NAME_BEHIND: Final = re.compile(r"\s*([^\d%,;/+&|()\n]+)")
"""The name of a material behind its percentage, in a composition such as "80 % cotton"."""
_BEFORE_SHARE: Final = " \t\r\n\xa0\u202f:="
"""Characters that may stand between the name of a material and its percentage, in a composition
such as "cotton: 80 %".
"""
_BETWEEN_NAMES: Final = re.compile(r"[\d%,;/+&|()\n]")
"""Characters that separate the names of materials in a composition."""
_WHOLE: Final = (0.95, 1.05)
"""The shares of a composition count as complete if their sum lies between these two numbers."""
_FOLLOWED: Final = 0.02
"""The masses of the bill stay as they are if none of the composition's materials differs from its
stated share by more than this share of their total mass.
"""
_WORTH_A_NOTE: Final = 0.05
"""A material of the composition that the bill lacks gets a note if its share is at least this; a
recycled share gets one if more than this part of it could not be counted.
"""
SMALLEST_KG: Final = 1e-12
"""A recycled share that comes to less than this mass, a nanogram, counts as none."""

IN_ENGLISH: Final = {
    "baumwolle": "cotton", "coton": "cotton", "algodón": "cotton", "algodon": "cotton",
    "cotone": "cotton", "katoen": "cotton", "bawełna": "cotton", "pamuk": "cotton",
    "poliéster": "polyester", "poliester": "polyester", "poliestere": "polyester",
    "wolle": "wool", "schurwolle": "wool", "laine": "wool", "lana": "wool", "wol": "wool",
    "viskose": "viscose", "viscosa": "viscose", "polyamid": "nylon", "polyamide": "nylon",
    "poliamida": "nylon", "poliammide": "nylon", "elasthan": "elastane", "élasthanne": "elastane",
    "elastano": "elastane", "elastan": "elastane", "spandex": "elastane", "leinen": "linen",
    "lin": "linen", "lino": "linen", "linnen": "linen", "flax": "linen", "seide": "silk",
    "soie": "silk", "seda": "silk", "seta": "silk", "leder": "leather", "cuir": "leather",
    "cuero": "leather", "pelle": "leather", "leer": "leather", "stahl": "steel", "acier": "steel",
    "acero": "steel", "acciaio": "steel", "staal": "steel", "edelstahl": "stainless",
    "inox": "stainless", "rvs": "stainless", "glas": "glass", "verre": "glass",
    "vidrio": "glass", "vetro": "glass", "holz": "wood", "bois": "wood", "madera": "wood",
    "legno": "wood", "hout": "wood", "papier": "paper", "papel": "paper", "carta": "paper",
    "kupfer": "copper", "cuivre": "copper", "cobre": "copper", "rame": "copper",
    "messing": "brass", "laiton": "brass", "latón": "brass", "ottone": "brass",
    "aluminum": "aluminium", "aluminio": "aluminium", "alluminio": "aluminium", "alu": "aluminium",
    "polypropylene": "pp", "polypropylen": "pp", "polypropylène": "pp", "polipropileno": "pp",
    "polyurethane": "pu", "polyurethan": "pu", "poliuretano": "pu", "polyethylene": "pe",
    "gummi": "rubber", "caoutchouc": "rubber", "goma": "rubber", "gomma": "rubber",
    "silicone": "silicone", "silikon": "silicone", "daunen": "down", "duvet": "down",
}  # fmt: skip
"""Word for a material in another language, or another name of it → the word that the keys of
materials use.
"""


class Applied(NamedTuple):
    """The answers that are calculated with. The notes of the bill say what was changed in them."""

    bill: BillOfMaterials
    processes: ManufacturingProcesses


def with_catalogue_facts(
    facts: ProductFacts,
    bill: BillOfMaterials,
    processes: ManufacturingProcesses,
    factors: FactorTable,
) -> Applied:
    """The answers with the catalogue's composition and recycled share in the bill; unchanged where
    the catalogue has neither.
    """
    applied = Applied(bill, processes)
    if facts.materials is not None:
        applied = _with_composition(facts.materials, applied, factors)
    if facts.recycled_share:
        applied = _with_recycled_share(facts.recycled_share, applied, factors)
    return applied


def parts_named(text: str) -> dict[str, float]:
    """The parts that a composition names → their shares, 0 to 1. Reads "80 % cotton" as well as
    "cotton 80 %".
    """
    shares = list(_PERCENTAGE.finditer(text))
    if text.lstrip()[:1].isdigit():
        behind = ((_NAME_BEHIND.match(text, share.end()), share[1]) for share in shares)
        found = [(name[1], share) for name, share in behind if name]
    else:
        ends = [0, *(share.end() for share in shares)]
        before = (text[end : share.start()] for end, share in zip(ends, shares, strict=False))
        names = (_BETWEEN_NAMES.split(words.rstrip(_BEFORE_SHARE))[-1] for words in before)
        found = [(name, share[1]) for name, share in zip(names, shares, strict=True) if name]
    parts: dict[str, float] = {}
    for name, share in found:
        word = name.strip(" .:-").casefold()
        if (part := float(share.replace(",", ".")) / 100) > 0:
            parts[word] = parts.get(word, 0.0) + part
    return parts


def _with_composition(text: str, applied: Applied, factors: FactorTable) -> Applied:
    """The bill with its masses as the catalogue's composition divides them; with only a note where
    the composition names a part that the bill lacks, or its shares add up to more than 100 %.
    """
    parts = parts_named(text)
    bill = applied.bill
    groups = {name: _lines_of(name, bill, factors) for name in parts}
    lacking = [n for n, lines in groups.items() if not lines and parts[n] >= _WORTH_A_NOTE]
    known = [place for lines in groups.values() for place in lines]
    if not known:
        return applied
    if lacking:
        named = ", ".join(f"{parts[name]:.0%} {name}" for name in lacking)
        return _with_note(applied, f"the catalogue's composition names {named}: not in the bill")
    whole = math.fsum(parts.values())
    if whole > _WHOLE[1]:
        return _with_note(
            applied,
            f"the catalogue's composition adds up to {whole:.0%}, more than a whole: not counted",
        )
    if len(known) > len(set(known)) or whole < _WHOLE[0]:
        return applied
    masses = {name: math.fsum(bill.lines[n].mass_kg for n in groups[name]) for name in parts}
    total = math.fsum(masses.values())
    wanted = {name: total * share / whole for name, share in parts.items() if groups[name]}
    if all(abs(wanted[name] - masses[name]) <= _FOLLOWED * total for name in wanted):
        return applied
    scale = {n: wanted[name] / masses[name] for name in wanted for n in groups[name]}
    lines = tuple(
        line._replace(mass_kg=line.mass_kg * scale.get(n, 1.0)) for n, line in enumerate(bill.lines)
    )
    shares = ", ".join(f"{share:.0%} {name}" for name, share in parts.items())
    changed = Applied(replace(bill, lines=lines), applied.processes)
    return _with_note(changed, f"the masses follow the catalogue's composition: {shares}")


def _lines_of(part: str, bill: BillOfMaterials, factors: FactorTable) -> list[int]:
    """The numbers (from 0) of the lines whose material this part of a composition may be."""
    words = {IN_ENGLISH.get(word, word) for word in re.findall(r"[^\W\d_]+", part)}
    return [
        place for place, line in enumerate(bill.lines) if words & _words_of(line.material, factors)
    ]


def _words_of(key: str, factors: FactorTable) -> set[str]:
    """The words that name a material: those of its key, and its family."""
    return {*key.split("_"), factors.material(key).family}


def _with_recycled_share(share: float, applied: Applied, factors: FactorTable) -> Applied:
    """The bill with this share of its mass recycled, as far as there are recycled factors."""
    bill = applied.bill
    named_kg = share * bill.mass_kg
    if named_kg < SMALLEST_KG:
        return applied
    wanted_kg = named_kg - math.fsum(_recycled_kg_by_line(bill.lines, factors))
    exchangeable_kg = math.fsum(_exchangeable_kg_by_line(bill.lines, factors))
    part = min(max(wanted_kg / exchangeable_kg, 0.0), 1.0) if exchangeable_kg > 0 else 0.0
    if part > 0:
        applied = _exchanged_in_part(part, applied, factors)
    counted = 1 - max(wanted_kg - part * exchangeable_kg, 0.0) / named_kg
    if counted < 1 - _WORTH_A_NOTE:
        return _with_note(
            applied,
            f"of the catalogue's recycled share of {share:.0%}, {share * counted:.0%} is counted: there are "
            "no recycled factors for the rest of the bill",
        )
    return applied


def _recycled_kg_by_line(lines: Sequence[BomLine], factors: FactorTable) -> Iterator[float]:
    """How much of each line is recycled material already, in kg."""
    for line in lines:
        material = factors.material(line.material)
        yield line.mass_kg * (1.0 if material.recycled else material.recycled_content)


def _exchangeable_kg_by_line(lines: Sequence[BomLine], factors: FactorTable) -> Iterator[float]:
    """How much of each line could be recycled material and is not, in kg; lines without a recycled
    counterpart are left out.
    """
    for line in lines:
        material = factors.material(line.material)
        if material.recycled_as is not None:
            yield line.mass_kg * (1 - material.recycled_content)


def _exchanged_in_part(part: float, applied: Applied, factors: FactorTable) -> Applied:
    """The bill with `part` (0 to 1) of every line that has a recycled counterpart moved to a line
    of that counterpart, with the same processes.
    """
    bill = applied.bill
    kept: list[BomLine] = []
    added: list[BomLine] = []
    source: list[int] = []
    for number, line in enumerate(bill.lines, start=1):
        counterpart = factors.material(line.material).recycled_as
        if counterpart is None:
            kept.append(line)
            continue
        kept.append(line._replace(mass_kg=line.mass_kg * (1 - part)))
        added.append(BomLine(counterpart, line.mass_kg * part, line.component))
        source.append(number)
    if part == 1.0:
        return _exchanged_entirely(applied, factors)
    uses = [
        use._replace(material=new.material, line=len(kept) + place)
        for place, (new, number) in enumerate(zip(added, source, strict=True), start=1)
        for use in applied.processes.uses
        if use.line == number
        or (use.line is None and use.material == bill.lines[number - 1].material)
    ]
    processes = replace(applied.processes, uses=(*applied.processes.uses, *uses))
    return Applied(replace(bill, lines=(*kept, *added)), processes)


def _exchanged_entirely(applied: Applied, factors: FactorTable) -> Applied:
    """The bill with every line that has a recycled counterpart made of that counterpart."""
    lines = tuple(
        line._replace(material=factors.material(line.material).recycled_as or line.material)
        for line in applied.bill.lines
    )
    keys = {old.material: new.material for old, new in zip(applied.bill.lines, lines, strict=True)}
    uses = tuple(
        use._replace(material=keys.get(use.material, use.material))
        for use in applied.processes.uses
    )
    processes = replace(applied.processes, uses=uses)
    return Applied(replace(applied.bill, lines=lines), processes)


def _with_note(applied: Applied, note: str) -> Applied:
    bill = applied.bill
    return applied._replace(bill=replace(bill, notes=(*bill.notes, note)))
