from __future__ import annotations

import ast
import dataclasses
import math
import operator
import re

import pytest

from tests.support.carbon_builders import HEAT, grid, material, process, table
from weighbridge.carbon.factors import FactorTable, RangedValue
from weighbridge.carbon.taxonomy import Subcategory, Taxonomy
from weighbridge.errors import CalculationError, FactorTableInvalid
from weighbridge.factor_sources.bundled import BundledFactors

GRIDS = [grid("GLO", 0.5, "World")]
RESIN = material("resin")
MOULD = process("mould")


def test_the_version_follows_the_content_and_not_the_order() -> None:
    one, other = material("resin", 2.0), material("board", 3.0, family="wood")
    assert table([one, other]).version == table([other, one]).version
    assert table([one, other]).version != table([one]).version
    assert table([one]).version != table([material("resin", 2.0001)]).version


def test_a_country_without_a_grid_gets_the_world_average() -> None:
    factors = table([RESIN])
    assert factors.electricity_for("FR").country == "FR"
    assert not factors.electricity_for("FR").is_world
    assert factors.electricity_for("XX").is_world
    assert factors.electricity_for(None).is_world
    assert factors.world_region("FR") == "Europe"
    assert factors.world_region("XX") is None


def test_unknown_keys_are_named() -> None:
    factors = table([RESIN], [MOULD])
    assert factors.material("resin") is RESIN
    assert factors.process("mould") is MOULD
    with pytest.raises(CalculationError, match="no material 'resni'"):
        factors.material("resni")
    with pytest.raises(CalculationError, match="no process 'muold'"):
        factors.process("muold")


def test_the_vocabulary_offers_what_the_table_and_the_taxonomy_hold() -> None:
    taxonomy = Taxonomy.of([("Tools", Subcategory("Saws", "42921", "Hand tools"))])
    formed = material("formed", includes_forming=True)
    vocabulary = table([RESIN, formed], [MOULD]).vocabulary(taxonomy)
    assert vocabulary.categories == {"Tools": ("Saws",)}
    assert vocabulary.materials["formed"].includes_forming
    assert not vocabulary.materials["resin"].includes_forming
    assert vocabulary.materials["resin"].family == "plastic"
    assert vocabulary.processes["mould"].families == {"plastic"}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (material("resin", 2.0, 2.1, 3.0), "2.0 is not between low 2.1 and high 3.0"),
        (material("resin", 2.0, 1.0, 1.9), "2.0 is not between low 1.0 and high 1.9"),
        (material("resin", math.nan), "must be finite"),
        (material("resin", math.inf), "must be finite"),
        (material("resin", included_processes=frozenset({"wish"})), r"no processes \['wish'\]"),
    ],
)
def test_an_invalid_material_is_refused(broken: object, complaint: str) -> None:
    with pytest.raises(FactorTableInvalid, match=complaint):
        table([broken])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (process("mould", yield_fraction=1.01), "the yield is 1.01"),
        (process("mould", yield_fraction=0.0), "the yield is 0.0"),
        (process("mould", -1.0), "must be 0 or more"),
        (process("mould", math.nan), "must be 0 or more"),
        (process("mould", 0.0), "not all 0"),
        (process("mould", families=frozenset({"cheese"})), r"families \['cheese'\]"),
        (process("mould", families=frozenset()), "it lists no families"),
        (dataclasses.replace(MOULD, range_low=1.1), "1.0 is not between"),
        (dataclasses.replace(MOULD, range_low=0.0), "range_low must be above 0"),
    ],
)
def test_an_invalid_process_is_refused(broken: object, complaint: str) -> None:
    with pytest.raises(FactorTableInvalid, match=complaint):
        table([RESIN], [broken])  # type: ignore[list-item]


def test_duplicate_keys_are_refused() -> None:
    with pytest.raises(FactorTableInvalid, match="material factor 'resin' is listed twice"):
        table([RESIN, RESIN])


def test_a_table_without_a_world_average_is_refused() -> None:
    with pytest.raises(FactorTableInvalid, match="no factor for world average electricity"):
        FactorTable.of("test", [RESIN], [], [grid("DE", 0.4)], HEAT)


def test_a_grid_factor_may_be_zero_but_not_negative() -> None:
    hydropower = dataclasses.replace(grid("CF", 1.0), kg_co2e_per_kwh=RangedValue(0.0, 0.0, 0.0))
    factors = FactorTable.of("test", [RESIN], [], [*GRIDS, hydropower], HEAT)
    assert factors.electricity_for("CF").kg_co2e_per_kwh.value == 0
    maybe_negative = dataclasses.replace(hydropower, kg_co2e_per_kwh=RangedValue(0.1, -0.1, 0.2))
    with pytest.raises(FactorTableInvalid, match="electricity of 'CF': low must be above 0"):
        FactorTable.of("test", [RESIN], [], [*GRIDS, maybe_negative], HEAT)


def test_a_taxonomy_finds_codes_and_refuses_duplicates() -> None:
    saws = Subcategory("Saws", "42921", "Hand tools")
    taxonomy = Taxonomy.of([("Tools", saws)])
    assert taxonomy.subcategory("Tools", "Saws").cpc_code == "42921"
    with pytest.raises(CalculationError, match="no subcategory 'Saws' in category 'Toys'"):
        taxonomy.subcategory("Toys", "Saws")
    with pytest.raises(CalculationError, match="no subcategory 'Dolls' in category 'Tools'"):
        taxonomy.subcategory("Tools", "Dolls")
    with pytest.raises(FactorTableInvalid, match="'Tools' / 'Saws' is listed twice"):
        Taxonomy.of([("Tools", saws), ("Tools", saws)])


OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul}


def built(node: ast.expr, factors: FactorTable) -> float:
    """What a proxy's formula comes to: sums and products of numbers and of other materials."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(key):
            return factors.materials[key].kg_co2e_per_kg.value
        case ast.BinOp(left, sign, right):
            return float(OPERATORS[type(sign)](built(left, factors), built(right, factors)))
        case _:
            raise ValueError(ast.dump(node))


def test_a_proxy_that_is_built_from_other_materials_follows_them() -> None:
    factors = BundledFactors().load()
    checked = 0
    for proxy in factors.materials.values():
        formula = proxy.citation.source_id.replace(" x ", " * ")
        names = set(re.findall(r"[a-z_]\w*", formula))
        if proxy.choice or not names <= factors.materials.keys():
            continue  # words, or another value was taken and the row says why
        if proxy.is_proxy and re.fullmatch(r"[\w.*+() ]+", formula):
            value = built(ast.parse(formula, mode="eval").body, factors)
            assert proxy.kg_co2e_per_kg.value == pytest.approx(value, rel=3e-3), proxy.key
            checked += 1
    assert checked > 50
