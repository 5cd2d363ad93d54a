"""The simulated model: answers any strict JSON schema about the products in a prompt.

A schema is compiled once into functions that write its values; for an enum they choose the value
that fits the product's words best. It knows nothing of Weighbridge's steps: what a number, text or
list is about is told by the name of its property alone. Used by `completions.py`. Pure: no I/O, no
clock, same answer every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json

from weighbridge.simulator.answering.enum_index import EnumIndex
from weighbridge.simulator.answering.lexicon import PROCESSES
from weighbridge.simulator.answering.portrait import Portrait, portray
from weighbridge.simulator.answering.words import words_of

CODE_FIELDS: Final = ("code", "product_code", "productCode", "sku", "id")
_BASIS: Final = "basis"
_MATERIAL_LISTS: Final = ("material", "bill", "bom", "component", "line")
_TEXT_WORDS: Final = 12
"""The most words of an invented sentence."""
_MOST_LINES: Final = 8
"""The most entries of a list for which the schema sets no maximum."""

Json = Any


@dataclass(
    slots=True
)  # not frozen: that makes it three times as dear, and there are dozens to a call
class Line:
    """One row of a list about a product: a material with its mass, or a process applied to one."""

    material: str
    share: float = 1.0
    mass_kg: float = 0.0
    component: str = ""
    number: int = 1  # its place in the bill
    process: str = ""


@dataclass(slots=True)
class Scene:
    """What a part of the answer is about: a product and perhaps a line of its bill.

    `product` and `portrait` are None for parts about all products of the call.
    """

    products: Sequence[Mapping[str, Any]]
    seed: int
    product: Mapping[str, Any] | None = None
    portrait: Portrait | None = None
    line: Line | None = None
    written: Mapping[str, Any] | None = None
    """The properties already written into the same object; later ones may depend on them."""


Writer = Callable[[Scene], Json]


class EndlessSchema(Exception):
    """A definition contains itself, so that a value for it would never end."""


def find_products(text: str) -> list[dict[str, Any]]:
    """The `products` list of the JSON object in a prompt; empty when there is none."""
    mark = text.find('"products"')
    end = text.rfind("}") + 1
    start = text.find("{")
    while 0 <= start < mark:
        try:
            found = from_json(text[start:end])
        except ValueError:
            found = None
        products = found.get("products") if isinstance(found, dict) else None
        if isinstance(products, list):
            return [product for product in products if isinstance(product, dict)]
        start = text.find("{", start + 1)
    return []


class Analyst:
    """Writes answers to one strict schema, which is compiled once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = {
            **schema.get("definitions", {}),
            **schema.get("$defs", {}),
        }
        self._write = self._compile(schema, "", ())

    def answer(self, products: Sequence[Mapping[str, Any]], seed: int) -> Json:
        """A reply of the schema's form about these products."""
        return self._write(Scene(products, seed))

    def _compile(self, node: Mapping[str, Any], name: str, open_refs: tuple[str, ...]) -> Writer:
        """A function that writes values for this part of the schema.

        `open_refs` are the references that led here.

        Raises:
            EndlessSchema: the part contains itself.
        """
        if "$ref" in node:
            reference = str(node["$ref"])
            if reference in open_refs or reference == "#":
                raise EndlessSchema
            target = self._definitions[reference.rsplit("/", 1)[-1]]
            return self._compile(target, name, (*open_refs, reference))
        if "anyOf" in node:
            return self._compile_any_of(node["anyOf"], name, open_refs)
        if "const" in node:
            constant = node["const"]
            return lambda _scene: constant
        kinds = node.get("type", [])
        kinds = kinds if isinstance(kinds, list) else [kinds]
        nullable = "null" in kinds
        kind = next((kind for kind in kinds if kind != "null"), None)
        if "enum" in node:
            return _enum_writer(
                name, EnumIndex([value for value in node["enum"] if value is not None] or [None])
            )
        if kind == "object":
            return self._compile_object(node, open_refs)
        if kind == "array":
            return self._compile_array(node, name, open_refs)
        if kind in ("number", "integer"):
            return _number_writer(name, node, whole=kind == "integer")
        if kind == "boolean":
            return _boolean_writer(name, nullable=nullable)
        if kind == "string":
            return _text_writer(name)
        return lambda _scene: None

    def _compile_any_of(
        self, branches: Sequence[Any], name: str, open_refs: tuple[str, ...]
    ) -> Writer:
        """The writer of the first branch that ends; null only if no other branch does.

        Raises:
            EndlessSchema: no branch ends.
        """
        nullable = any(branch.get("type") == "null" for branch in branches)
        for branch in branches:
            if branch.get("type") == "null":
                continue
            if nullable and branch.get("type") == "boolean":
                return _boolean_writer(name, nullable=True)
            try:
                return self._compile(branch, name, open_refs)
            except EndlessSchema:
                continue
        if nullable:
            return lambda _scene: None
        raise EndlessSchema

    def _compile_object(self, node: Mapping[str, Any], open_refs: tuple[str, ...]) -> Writer:
        """The writer of an object: it writes the properties in order; those that are lists may
        depend on the properties written before them.
        """
        properties = node.get("properties", {})
        writers = [
            (name, self._compile(child, name, open_refs)) for name, child in properties.items()
        ]

        def write_object(scene: Scene) -> Json:
            """The object for this scene; the writers of its lists see what is already written."""
            row: dict[str, Json] = {}
            scene = Scene(
                scene.products, scene.seed, scene.product, scene.portrait, scene.line, row
            )
            for name, write in writers:
                row[name] = write(scene)
            return row

        has_lists = any(
            self._resolve(child).get("type") == "array" for child in properties.values()
        )
        return (
            write_object
            if has_lists
            else lambda scene: {name: write(scene) for name, write in writers}
        )

    def _compile_array(
        self, node: Mapping[str, Any], name: str, open_refs: tuple[str, ...]
    ) -> Writer:
        """The writer of a list: one entry for each product at the top of the schema, and inside a
        product's entry one for each line of its bill.
        """
        item = self._resolve(node["items"])
        least, most = int(node.get("minItems", 0)), int(node.get("maxItems", _MOST_LINES))
        try:
            write = self._compile(item, name, open_refs)
        except EndlessSchema:
            return lambda _scene: []
        properties = item.get("properties", {})
        if _BASIS in properties:  # facts that must name their source: the simulator has none
            return lambda _scene: []
        per_product = any(field in properties for field in CODE_FIELDS)
        lines = self._lines(item, name)

        def write_array(scene: Scene) -> Json:
            """An entry for each product where entries name their product, for each line of the
            product's bill where they are about lines, and otherwise one, or as many as the schema
            demands.
            """
            if scene.portrait is None and per_product:
                return [
                    write(Scene(scene.products, scene.seed, product, portray(product, scene.seed)))
                    for product in scene.products
                ]
            if scene.portrait is None or lines is None:
                return [write(scene)] * max(1, least)
            found = lines(scene, most)
            while found and len(found) < least:
                found.append(found[-1])
            return [
                write(Scene(scene.products, scene.seed, scene.product, scene.portrait, line))
                for line in found
            ]

        return write_array

    def _lines(
        self, item: Mapping[str, Any], name: str
    ) -> Callable[[Scene, int], list[Line]] | None:
        """A function that gives the lines for a list in a product's entry, at most so many.

        By the names of its properties they are processes or materials; None if it has no enum.
        """
        enums = {
            key: EnumIndex(child["enum"])
            for key, child in (
                (key, self._resolve(child)) for key, child in item.get("properties", {}).items()
            )
            if "enum" in child
        }
        if "enum" in item:
            enums = {name: EnumIndex(item["enum"])}
        processes = next((index for key, index in enums.items() if "process" in key.lower()), None)
        materials = next((index for key, index in enums.items() if "material" in key.lower()), None)
        if processes is not None:
            return lambda scene, most: _process_lines(scene, processes, materials)[:most]
        largest = materials or max(
            enums.values(), key=lambda index: len(index.values), default=None
        )
        if largest is None:
            return None
        return lambda scene, most: _composition(scene, largest, most)

    def _resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema that a `$ref` leads to, or the node itself."""
        seen = 0
        while "$ref" in node and seen < len(self._definitions) + 1:
            node = self._definitions[str(node["$ref"]).rsplit("/", 1)[-1]]
            seen += 1
        return node


def _composition(scene: Scene, index: EnumIndex, most: int) -> list[Line]:
    """A bill of at most `most` lines: the portrait's parts as values of the enum, largest first.

    Shares and masses add up to the whole product.
    """
    portrait = scene.portrait
    if portrait is None:
        return []
    shares: dict[int, float] = {}
    components: dict[int, str] = {}
    for part in portrait.parts:
        number = index.find(part.hint)
        if number is not None:
            shares[number] = shares.get(number, 0.0) + part.share
            components.setdefault(number, part.component)
    if not shares:
        ranked = index.ranking(portrait.bag, 3) or [(1.0, portrait.digest[1] % len(index.values))]
        shares = {number: score for score, number in ranked}
    largest = sorted(shares.items(), key=lambda entry: (-entry[1], entry[0]))[:most]
    total = sum(share for _, share in largest)
    digits = 6 if portrait.mass_kg >= 0.1 else 9
    lines = [
        Line(
            material=index.values[number],
            share=round(share / total, 4),
            mass_kg=round(portrait.mass_kg * share / total, digits),
            component=components.get(number, "body"),
        )
        for number, share in largest
    ]
    first, rest = lines[0], lines[1:]
    first.share = round(1 - sum([line.share for line in rest]), 4)
    first.mass_kg = round(portrait.mass_kg - sum([line.mass_kg for line in rest]), digits)
    return [first, *(line for line in rest if line.mass_kg > 0)]


def _listed_materials(product: Mapping[str, Any]) -> dict[str, str]:
    """The materials that the prompt lists for a product, each with its family ("" if not stated).

    Materials marked as formed are left out: their emission factor covers shaping.
    """
    for key, entries in product.items():
        if not isinstance(entries, list) or not _lists_materials(key):
            continue
        found: dict[str, str] = {}
        for entry in entries:
            if isinstance(entry, str):
                found[entry] = ""
            elif isinstance(entry, dict) and not entry.get("formed"):
                name = entry.get("material", entry.get("key", entry.get("name")))
                if isinstance(name, str):
                    found[name] = str(entry.get("family") or "")
        if found:
            return found
    return {}


def _line_numbers(product: Mapping[str, Any]) -> dict[str, int]:
    """The number of each material's first line in the product's list of materials, from 1."""
    for key, entries in product.items():
        if isinstance(entries, list) and _lists_materials(key):
            return {
                str(entry["material"]): number
                for number, entry in reversed(list(enumerate(entries, start=1)))
                if isinstance(entry, dict) and "material" in entry
            }
    return {}


@lru_cache(maxsize=1_024)
def _lists_materials(key: str) -> bool:
    return any(word in key.lower() for word in _MATERIAL_LISTS)


def _process_lines(scene: Scene, processes: EnumIndex, materials: EnumIndex | None) -> list[Line]:
    """A line for each process that fits a material of the product, by the prompt's list or else the
    bill just written.

    A material that comes ready made has no line.
    """
    own = _listed_materials(scene.product or {}) or _listed_materials(scene.written or {})
    places = _line_numbers(scene.product or {}) or _line_numbers(scene.written or {})
    return [
        Line(
            material=material,
            process=processes.values[number],
            number=places.get(material, 1),
        )
        for material, family in own.items()
        if materials is None or material in materials.members
        for number in _processes_of(material, family, processes)
    ]


def _processes_of(material: str, family: str, index: EnumIndex) -> list[int]:
    """Indexes of the processes for a material, by the words of its key, or by its family if no word
    of the key is known.
    """
    for hints in (_process_hints(material), _process_hints(family)):
        if hints is not None:
            found = (index.find(hint) for hint in hints)
            return list(dict.fromkeys(number for number in found if number is not None))
    return []


@lru_cache(maxsize=4_096)
def _process_hints(material: str) -> tuple[str, ...] | None:
    """The lexicon's hints to processes for a material's words; None if it knows none of them."""
    words = frozenset(words_of(material))
    return next((hints for triggers, hints in PROCESSES if triggers & words), None)


def _enum_writer(name: str, index: EnumIndex) -> Writer:
    """The writer of an enum: the value for the line of the bill, else (for levels such as "low" and
    "high") the certainty, else the value that fits the product's words best.
    """
    label, levels = name.lower(), {value.lower(): value for value in index.members}
    is_level = "high" in levels and "low" in levels
    is_process, is_material = "process" in label, "material" in label
    is_basis = _BASIS in label

    def choose_value(scene: Scene) -> Json:
        """The value of the enum for this product or line."""
        portrait, line = scene.portrait, scene.line
        if line is not None:
            if is_process and line.process:
                return line.process
            if is_material or line.material in index.members:
                return line.material
        if portrait is None:
            return index.values[0]
        if is_basis:
            return index.values[0]
        if is_level:
            wanted = ("low", "medium", "high")[portrait.certainty]
            return levels.get(wanted, index.values[0])
        best = index.best(portrait.bag)
        return index.values[portrait.digest[2] % len(index.values) if best is None else best]

    return choose_value


def _number_writer(name: str, node: Mapping[str, Any], *, whole: bool) -> Writer:
    """The writer of a number: the amount that the name suggests, within the schema's bounds."""
    least, most = float(node.get("minimum", "-inf")), float(node.get("maximum", "inf"))
    amount = _amount_for(name.lower())
    if not whole and node.keys().isdisjoint(("minimum", "maximum")):
        return amount

    def write_number(scene: Scene) -> Json:
        value = min(most, max(least, amount(scene)))
        return round(value) if whole else value

    return write_number


def _amount_for(label: str) -> Callable[[Scene], float]:
    """The function that computes a number, by the words in its name: a share, a mass, a line…"""
    if any(word in label for word in ("share", "fraction", "proportion", "ratio")):
        return _share
    if "percent" in label or "pct" in label:
        return lambda scene: round(100 * _share(scene), 2)
    if label.endswith(("_g", "grams", "_gram")):
        return lambda scene: round(1000 * _mass_kg(scene), 6)
    if any(word in label for word in ("mass", "weight", "kg", "amount", "quantity")):
        return _mass_kg
    if label == "line":
        return lambda scene: float(scene.line.number if scene.line else 1)
    if "confidence" in label or "probability" in label:
        return lambda scene: (0.35, 0.65, 0.9)[scene.portrait.certainty] if scene.portrait else 0.5
    return lambda scene: float(1 + (scene.portrait.digest[3] % 9 if scene.portrait else 0))


def _share(scene: Scene) -> float:
    return scene.line.share if scene.line else 1.0


def _mass_kg(scene: Scene) -> float:
    if scene.line:
        return scene.line.mass_kg
    return scene.portrait.mass_kg if scene.portrait else 1.0


def _boolean_writer(name: str, *, nullable: bool) -> Writer:
    """The writer of a boolean: by its name whether the mass is plausible, or whether it was
    inferred; else true.
    """
    label = name.lower()
    about_mass = "plausible" in label or "realistic" in label

    def write_boolean(scene: Scene) -> Json:
        """True, False or None for this product."""
        portrait = scene.portrait
        if portrait is None:
            return True
        if about_mass:
            return (
                None if nullable and portrait.given_mass_kg is None else portrait.mass_is_plausible
            )
        if "inferred" in label or "estimated" in label:
            return portrait.given_mass_kg is None
        return True

    return write_boolean


def _text_writer(name: str) -> Writer:
    """The writer of a text: by its name the code, name, material, process or component, else a
    sentence.
    """
    label = name.lower()
    is_code, is_name = name in CODE_FIELDS, "name" in label
    is_material, is_process = "material" in label, "process" in label

    def write_text(scene: Scene) -> Json:
        """The text for this product or line."""
        portrait, line, product = scene.portrait, scene.line, scene.product
        if portrait is None or product is None:
            return "simulated"
        if is_code:
            return str(product.get(name, portrait.code))
        if line is not None:
            return line.material if is_material else line.process if is_process else line.component
        if is_name:
            return portrait.name
        kind = portrait.kind.name if portrait.kind else "an article that its words do not tell"
        return " ".join(
            f"Judged by its words: {kind}, mainly {portrait.parts[0].component}.".split()[
                :_TEXT_WORDS
            ]
        )

    return write_text
