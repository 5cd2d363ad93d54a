"""The simulated model: sensible answers to any strict schema, the same every time."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.simulator.answering.analyst import Analyst, find_products

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
LEVELS = {"type": "string", "enum": ["high", "medium", "low"]}
MATERIALS = {
    "type": "string",
    "enum": [
        "steel_cold_rolled", "stainless_304_cold_rolled", "aluminium_primary", "aluminium_recycled", "copper_wire",
        "pp_resin", "abs_resin", "pc_resin", "silicone_rubber", "wood_rubberwood_sawn", "wood_sawn_softwood_fr",
        "cotton_knit_dyed", "polyester_filament", "polyester_staple_fibre", "glass_display_substrate", "cast_iron",
        "battery_liion_uk", "pcb_populated_laptop", "particleboard", "steel_fasteners", "food_coffee_ground",
    ],
}  # fmt: skip
PROCESSES = {
    "type": "string",
    "enum": [
        "injection_moulding", "steel_deep_drawing", "aluminium_shape_casting", "wood_planing", "knitting_circular",
        "weaving", "copper_wire_drawing", "iron_sand_casting",
    ],
}  # fmt: skip
CATEGORIES = {
    "type": "string",
    "enum": [
        "Kitchen & household > Reusable bottles & flasks", "Kitchen & household > Cookware & bakeware",
        "Consumer electronics > Laptops", "Consumer electronics > Other consumer electronics",
        "Apparel > T-shirts & tops", "Furniture > Tables & desks", "Footwear & leather goods > Bags & backpacks",
        "Food & beverages > Coffee & tea", "Tools & hardware > Hand tools",
    ],
}  # fmt: skip


def record(**properties: Any) -> dict[str, Any]:
    """An object as strict mode wants it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def rows(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def reply(**properties: Any) -> dict[str, Any]:
    return record(products=rows(record(code=TEXT, **properties)))


BILL = reply(
    lines=rows(record(material=MATERIALS, mass_kg=NUMBER, component=TEXT)),
    weight_plausible={"type": ["boolean", "null"]},
    confidence=LEVELS,
)
USES = reply(uses=rows(record(process=PROCESSES, material=TEXT)))
BOTTLE = {
    "code": "B-1",
    "name": "Stainless steel water bottle",
    "description": "Vacuum insulated, with a screw lid",
    "weight_kg": 0.35,
}
LAPTOP = {
    "code": "L-1",
    "name": "14-inch laptop",
    "description": "Slim aluminium notebook computer",
    "weight_kg": 1.3,
}
SHIRT = {
    "code": "T-1",
    "name": "Men's T-shirt",
    "description": "60% cotton, 40% polyester",
    "weight_kg": None,
}


def ask(schema: dict[str, Any], *products: dict[str, Any], seed: int = 1) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = Analyst(schema).answer(products, seed)["products"]
    return answers


def shares(answer: dict[str, Any]) -> dict[str, float]:
    total = sum(line["mass_kg"] for line in answer["lines"])
    return {line["material"]: line["mass_kg"] / total for line in answer["lines"]}


EVERYTHING = reply(
    name=TEXT,
    category=CATEGORIES,
    confidence=LEVELS,
    certainty={"type": "number", "minimum": 0, "maximum": 1, "title": "probability"},
    pieces={"type": "integer"},
    weight_kg=NUMBER,
    weight_g=NUMBER,
    weight_plausible={"type": ["boolean", "null"]},
    mass_inferred={"type": "boolean"},
    why=TEXT,
    lines=rows(
        record(material=MATERIALS, mass_kg=NUMBER, share=NUMBER, percent=NUMBER, component=TEXT)
    ),
)


def catalogue() -> list[dict[str, Any]]:
    """The sample catalogue as prompts show it."""
    path = Path(__file__).parents[4] / "examples" / "catalogue.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {
                "code": row["code"],
                "name": row["name"],
                "description": row["description"],
                "weight_kg": float(row["weight"]) if row["weight"] else None,
                "materials": [
                    {"material": "steel_cold_rolled", "family": "steel"},
                    {"material": "pp_resin", "family": "plastic", "formed": number % 2 == 0},
                    "cotton_knit_dyed",
                ],
            }
            for number, row in enumerate(csv.DictReader(file))
        ]


@pytest.mark.parametrize(
    ("schema", "seed", "digest"),
    [
        (EVERYTHING, 0, "f8b570b72f3783dc"),
        (EVERYTHING, 7, "25a15767848227c1"),
        (USES, 0, "ad021d6db821e006"),
    ],
)
def test_answers_match_those_of_the_last_release(
    schema: dict[str, Any], seed: int, digest: str
) -> None:
    """Runs can be compared with earlier ones only as long as the simulator says the same."""
    said = json.dumps(ask(schema, *catalogue(), seed=seed))
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize(
    ("name", "description", "category"),
    [
        ("Stainless steel water bottle", "", "Kitchen & household > Reusable bottles & flasks"),
        ("Cast iron skillet 28 cm", "pre-seasoned", "Kitchen & household > Cookware & bakeware"),
        ("UltraBook 14 laptop", "16 GB", "Consumer electronics > Laptops"),
        ("Laptop bag", "for 15 inch computers", "Footwear & leather goods > Bags & backpacks"),
        ("Classic tee", "cotton", "Apparel > T-shirts & tops"),
        ("Oak dining table", "seats six", "Furniture > Tables & desks"),
        ("Espresso roast", "ground coffee, 250 g", "Food & beverages > Coffee & tea"),
        ("Claw hammer", "hickory handle", "Tools & hardware > Hand tools"),
    ],
)
def test_the_head_noun_of_the_name_decides_the_product(
    name: str, description: str, category: str
) -> None:
    product = {"code": "X", "name": name, "description": description, "weight_kg": None}
    assert ask(reply(category=CATEGORIES), product)[0]["category"] == category


def test_a_steel_bottle_is_mostly_stainless_steel() -> None:
    assert shares(ask(BILL, BOTTLE)[0])["stainless_304_cold_rolled"] > 0.7


def test_a_laptop_has_casing_plastic_board_battery_and_display() -> None:
    found = shares(ask(BILL, LAPTOP)[0])
    wanted = {"aluminium_primary", "pc_resin", "pcb_populated_laptop", "battery_liion_uk"}
    assert wanted | {"glass_display_substrate"} <= found.keys()


def test_percentages_in_the_text_are_used() -> None:
    found = shares(ask(BILL, SHIRT)[0])
    assert found["cotton_knit_dyed"] == pytest.approx(
        1.5 * (found["polyester_filament"] - 0.04), rel=0.05
    )


def test_recycled_selects_the_recycled_material() -> None:
    ladder = {"code": "A", "name": "Tray of recycled aluminium", "description": "", "weight_kg": 1}
    assert max(shares(ask(BILL, ladder)[0]).items(), key=lambda e: e[1])[0] == "aluminium_recycled"


@given(
    name=st.text(max_size=40),
    description=st.text(max_size=80),
    weight_kg=st.one_of(st.none(), st.floats(1e-4, 1e4)),
)
def test_masses_add_up_to_a_plausible_weight(
    name: str, description: str, weight_kg: float | None
) -> None:
    product = {"code": "X", "name": name, "description": description, "weight_kg": weight_kg}
    answer = ask(BILL, product)[0]
    total = math.fsum(line["mass_kg"] for line in answer["lines"])
    assert all(line["mass_kg"] > 0 for line in answer["lines"])
    assert len({line["material"] for line in answer["lines"]}) == len(answer["lines"])
    if weight_kg is None:
        assert answer["weight_plausible"] is None
    elif answer["weight_plausible"]:
        assert total == pytest.approx(weight_kg, rel=1e-6)


def test_an_implausible_weight_is_flagged_and_replaced() -> None:
    answer = ask(BILL, {**LAPTOP, "weight_kg": 5000})[0]
    assert answer["weight_plausible"] is False
    assert 0.5 < math.fsum(line["mass_kg"] for line in answer["lines"]) < 5


def test_answers_are_in_order_under_the_right_codes() -> None:
    assert [row["code"] for row in ask(BILL, LAPTOP, SHIRT, BOTTLE)] == ["L-1", "T-1", "B-1"]


def test_other_products_in_the_call_change_nothing() -> None:
    alone = [ask(BILL, product)[0] for product in (LAPTOP, SHIRT, BOTTLE)]
    assert ask(BILL, LAPTOP, SHIRT, BOTTLE) == alone


def test_another_seed_gives_other_masses() -> None:
    first, second = (ask(BILL, SHIRT, seed=seed)[0]["lines"] for seed in (1, 2))
    assert first != second


def test_processes_fit_the_materials_and_skip_formed_ones() -> None:
    materials = [
        {"material": "pp_resin", "mass_kg": 0.1, "family": "plastic"},
        {"material": "steel_cold_rolled", "mass_kg": 0.2, "family": "steel"},
        {"material": "cast_iron", "mass_kg": 1.0, "family": "steel"},
        {"material": "hdpe_container", "mass_kg": 0.1, "formed": True},
        {"material": "no_such_word", "mass_kg": 0.1, "family": "wood"},
    ]
    uses = ask(USES, {**BOTTLE, "materials": materials})[0]["uses"]
    assert uses == [
        {"process": "injection_moulding", "material": "pp_resin"},
        {"process": "steel_deep_drawing", "material": "steel_cold_rolled"},
        {"process": "iron_sand_casting", "material": "cast_iron"},
        {"process": "wood_planing", "material": "no_such_word"},
    ]


def test_processes_fit_the_bill_of_the_same_answer() -> None:
    schema = reply(
        lines=rows(record(material=MATERIALS, mass_kg=NUMBER, component=TEXT)),
        uses=rows(record(process=PROCESSES, material=TEXT)),
    )
    bottle, shirt = ask(schema, BOTTLE, SHIRT)
    for answer in (bottle, shirt):
        assert answer["uses"]
        assert {use["material"] for use in answer["uses"]} <= {
            line["material"] for line in answer["lines"]
        }
    assert bottle["uses"] != shirt["uses"]


def test_without_materials_no_process_is_invented() -> None:
    assert ask(USES, BOTTLE)[0]["uses"] == []


def test_numeric_fields_are_recognised_by_name() -> None:
    line = record(
        material=MATERIALS, share=NUMBER, percent=NUMBER, mass_g=NUMBER, pieces={"type": "integer"}
    )
    lines = ask(reply(lines=rows(line), weight_kg=NUMBER), BOTTLE)[0]["lines"]
    assert sum(row["share"] for row in lines) == pytest.approx(1, abs=1e-3)
    assert sum(row["percent"] for row in lines) == pytest.approx(100, abs=0.1)
    assert sum(row["mass_g"] for row in lines) == pytest.approx(350)
    assert all(isinstance(row["pieces"], int) for row in lines)


def test_handles_definitions_unions_and_recursion() -> None:
    node = record(
        word={"const": "x"}, inner={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
    )
    schema = {**reply(tree={"$ref": "#/$defs/node"}), "$defs": {"node": node}}
    assert ask(schema, BOTTLE)[0]["tree"] == {"word": "x", "inner": None}


def test_limits_on_the_number_of_lines_are_kept() -> None:
    line = record(material=MATERIALS, mass_kg=NUMBER)
    schema = reply(lines={"type": "array", "items": line, "maxItems": 2})
    lines = ask(schema, LAPTOP)[0]["lines"]
    assert len(lines) == 2
    assert sum(row["mass_kg"] for row in lines) == pytest.approx(1.3)


SCHEMAS = st.recursive(
    st.sampled_from(
        [TEXT, NUMBER, LEVELS, MATERIALS, {"type": "boolean"}, {"type": "integer", "minimum": 3}]
    ),
    lambda inner: st.one_of(
        inner.map(rows),
        st.dictionaries(
            st.sampled_from(["name", "share", "part", "tags", "code", "n"]), inner, min_size=1
        ).map(lambda found: record(**found)),
        inner.map(lambda found: {"anyOf": [found, {"type": "null"}]}),
    ),
    max_leaves=8,
)


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """A validator for the few keywords that these tests use."""
    if "anyOf" in schema:
        return any(conforms(value, branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "object":
            return value.keys() == schema["properties"].keys() and all(
                conforms(value[key], child) for key, child in schema["properties"].items()
            )
        case "array":
            return isinstance(value, list) and all(conforms(v, schema["items"]) for v in value)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and value >= schema["minimum"]
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


@given(st.dictionaries(st.sampled_from(["alpha", "beta_kg", "gamma"]), SCHEMAS, min_size=1))
def test_an_answer_matches_any_schema(properties: dict[str, Any]) -> None:
    schema = reply(**properties)
    assert conforms(Analyst(schema).answer([BOTTLE, SHIRT], 1), schema)


@given(st.text(max_size=60), st.text(max_size=60))
def test_products_are_found_in_surrounding_text(before: str, after: str) -> None:
    data = json.dumps({"products": [BOTTLE]})
    before, after = before.replace("{", "").replace("}", ""), after.replace("}", "")
    assert find_products(f"{before}{data}{after}") == [BOTTLE]


@pytest.mark.parametrize("text", ["", "no data", '{"products": 3}', '{"products": [', '"products"'])
def test_a_prompt_without_products_has_none(text: str) -> None:
    assert find_products(text) == []
