from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.carbon_builders import bill, footprint, material, process, table, worked
from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import ContributionKind
from weighbridge.errors import CalculationError

FACTORS = table(
    [
        material("resin", 2.0),
        material("board", 0.3, family="wood"),
        material("formed", 3.0, includes_forming=True),
        material("yarn", 5.0, included_processes=frozenset({"spin"})),
        material("guess", 9.0, proxy_reason="nobody publishes it"),
    ],
    [
        process("mould", 1.8, 0.04, yield_fraction=0.9),
        process("trim", 0.1, yield_fraction=0.5),
        process("spin", 4.0, yield_fraction=0.8),
        process("etch", 0.0, direct_kg=0.7),
        process("mill", 2.0, yield_fraction=0.8, is_per_kg_removed=True),
    ],
)
MASSES = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)
BILLS = st.lists(
    st.tuples(st.sampled_from(["resin", "board", "formed", "yarn", "guess"]), MASSES),
    min_size=1,
    max_size=12,
)
USES = st.lists(st.sampled_from(["mould", "trim", "spin", "etch", "mill"]), max_size=4)


@settings(max_examples=40, deadline=None)
@given(BILLS, USES)
def test_the_sum_of_the_contributions_is_exactly_the_footprint(
    lines: list[tuple[str, float]], uses: list[str]
) -> None:
    first = lines[0][0]
    result = footprint(FACTORS, bill(*lines), worked(*((use, first) for use in uses)))
    assert result.emissions_kg_co2e == math.fsum(
        each.emissions_kg_co2e for each in result.contributions
    )
    assert all(
        each.emissions_kg_co2e == each.activity * each.factor for each in result.contributions
    )


@settings(max_examples=40, deadline=None)
@given(BILLS, BILLS)
def test_the_footprints_of_two_parts_add_up(
    one: list[tuple[str, float]], other: list[tuple[str, float]]
) -> None:
    def emissions(lines: list[tuple[str, float]]) -> float:
        uses = worked(("mould", "resin")) if "resin" in dict(lines) else worked()
        return footprint(FACTORS, bill(*lines), uses).emissions_kg_co2e

    assert emissions(one + other) == pytest.approx(emissions(one) + emissions(other))


@settings(max_examples=40, deadline=None)
@given(BILLS, USES, st.floats(min_value=1e-3, max_value=1e3))
def test_footprints_are_linear_in_mass(
    lines: list[tuple[str, float]], uses: list[str], times: float
) -> None:
    first = lines[0][0]
    processes = worked(*((use, first) for use in uses))
    small = footprint(FACTORS, bill(*lines), processes)
    large = footprint(FACTORS, bill(*((key, kg * times) for key, kg in lines)), processes)
    assert large.emissions_kg_co2e == pytest.approx(small.emissions_kg_co2e * times)
    assert large.low_kg_co2e == pytest.approx(small.low_kg_co2e * times)
    assert large.high_kg_co2e == pytest.approx(small.high_kg_co2e * times)


@settings(max_examples=20, deadline=None)
@given(MASSES, st.sampled_from([1e-3, 1e3]))
def test_the_unit_of_mass_does_not_matter(mass_kg: float, per_unit: float) -> None:
    per_kg = footprint(table([material("resin", 2.0)]), bill(("resin", mass_kg)))
    other = table([material("resin", 2.0 * per_unit)])  # kg CO2e per gram, or per tonne
    per_other = footprint(other, bill(("resin", mass_kg / per_unit)))
    assert per_other.emissions_kg_co2e == pytest.approx(per_kg.emissions_kg_co2e)
    assert per_other.high_kg_co2e == pytest.approx(per_kg.high_kg_co2e)


def test_scrap_needs_more_material_and_leaves_the_energy_of_the_output() -> None:
    result = footprint(FACTORS, bill(("resin", 0.9)), worked(("mould", "resin")))
    bought, electricity, heat = result.contributions
    assert (bought.kind, bought.activity_unit) == (ContributionKind.MATERIAL, "kg")
    assert bought.activity == pytest.approx(1.0)
    assert electricity.kind is ContributionKind.PROCESS_ELECTRICITY
    assert electricity.activity == pytest.approx(0.9 * 1.8)
    assert electricity.factor == 0.4
    assert heat.kind is ContributionKind.PROCESS_HEAT
    assert heat.activity == pytest.approx(0.9 * 0.04)
    assert (heat.activity_unit, heat.factor) == ("kWh", 0.2)


def test_earlier_processes_include_later_scrap() -> None:
    mould_first = footprint(
        FACTORS, bill(("resin", 1.0)), worked(("mould", "resin"), ("trim", "resin"))
    )
    trim_first = footprint(
        FACTORS, bill(("resin", 1.0)), worked(("trim", "resin"), ("mould", "resin"))
    )
    assert [each.activity for each in mould_first.contributions] == pytest.approx(
        [1 / 0.45, 1 / 0.5 * 1.8, 1 / 0.5 * 0.04, 0.1]
    )
    assert [each.activity for each in trim_first.contributions] == pytest.approx(
        [1 / 0.45, 1 / 0.9 * 0.1, 1.8, 0.04]
    )


def test_machining_counts_removed_material() -> None:
    result = footprint(FACTORS, bill(("resin", 1.0)), worked(("mill", "resin")))
    assert [each.activity for each in result.contributions] == pytest.approx([1.25, 0.25 * 2.0])


def test_direct_emissions_need_no_energy() -> None:
    result = footprint(FACTORS, bill(("resin", 2.0)), worked(("etch", "resin")))
    direct = result.contributions[1]
    assert (direct.kind, direct.activity_unit) == (ContributionKind.PROCESS_DIRECT, "kg")
    assert direct.emissions_kg_co2e == pytest.approx(1.4)
    assert direct.factor_key == "etch"


@pytest.mark.parametrize(
    ("key", "use", "why"),
    [
        ("formed", "mould", "includes its forming"),
        ("yarn", "spin", "includes this process"),
        ("board", "mould", "not known for the family 'wood'"),
    ],
)
def test_a_double_counted_process_is_dropped_with_a_note(key: str, use: str, why: str) -> None:
    with_process = footprint(FACTORS, bill((key, 1.0)), worked((use, key)))
    without = footprint(FACTORS, bill((key, 1.0)))
    assert with_process.emissions_kg_co2e == without.emissions_kg_co2e
    assert [note for note in with_process.notes if why in note]
    assert not without.notes


def test_a_process_named_twice_for_one_material_is_counted_once() -> None:
    once = footprint(FACTORS, bill(("resin", 1.0)), worked(("mould", "resin")))
    twice = footprint(FACTORS, bill(("resin", 1.0)), worked(("mould", "resin"), ("mould", "resin")))
    assert twice == once


def test_a_material_in_two_components_is_processed_as_one_mass() -> None:
    result = footprint(FACTORS, bill(("resin", 0.3), ("resin", 0.1)), worked(("mould", "resin")))
    assert [each.activity for each in result.contributions] == pytest.approx(
        [0.3 / 0.9, 0.1 / 0.9, 0.4 * 1.8, 0.4 * 0.04]
    )


@pytest.mark.parametrize(
    ("country", "factor", "note"),
    [
        ("FR", 0.05, None),
        (None, 0.5, "no country of origin: world average electricity"),
        ("XX", 0.5, "no electricity factor for XX: world average electricity"),
    ],
)
def test_the_country_of_origin_selects_the_grid(
    country: str | None, factor: float, note: str | None
) -> None:
    result = footprint(FACTORS, bill(("resin", 1.0)), worked(("mould", "resin")), country=country)
    assert result.contributions[1].factor == factor
    assert list(result.notes) == ([note] if note else [])


def test_the_grid_is_not_mentioned_where_no_electricity_is_used() -> None:
    assert footprint(FACTORS, bill(("resin", 1.0)), country=None).notes == ()


def test_every_contribution_names_its_sources() -> None:
    result = footprint(FACTORS, bill(("resin", 1.0)), worked(("mould", "resin")))
    bought, electricity, heat = result.contributions
    assert (bought.source, bought.source_id, bought.year) == ("a book", "page 7", "2020")
    assert (bought.region, bought.licence) == ("GLO", "CC-BY-4.0")
    assert electricity.source == "a book; energy use: a book"
    assert (electricity.region, electricity.year) == ("DE; US", "2023; 2010")
    assert electricity.licence == "CC-BY-4.0"
    assert heat.licence == "CC0-1.0 AND CC-BY-4.0"
    assert (electricity.factor_key, heat.factor_key) == ("mould+electricity:DE", "mould+gas")


def test_proxies_are_marked_and_their_reasons_given() -> None:
    result = footprint(FACTORS, bill(("guess", 1.0), ("resin", 1.0)))
    assert [each.is_proxy for each in result.contributions] == [True, False]
    assert result.notes == ("proxy for Some guess: nobody publishes it",)


def test_a_proxy_process_is_marked_too() -> None:
    factors = table([material("resin")], [process("press", proxy_reason="as moulding")])
    result = footprint(factors, bill(("resin", 1.0)), worked(("press", "resin")))
    assert [each.is_proxy for each in result.contributions] == [False, True]
    assert result.notes == ("proxy for Pressing: as moulding",)


def test_a_given_mass_is_reported_as_given() -> None:
    mass = footprint(FACTORS, bill(("resin", 1.5), ("board", 0.5))).mass
    assert (mass.value, mass.unit, mass.origin) == (2.0, "kg", Origin.GIVEN)


def test_an_inferred_mass_is_reported_as_inferred() -> None:
    result = footprint(FACTORS, bill(("resin", 1.5), mass_inferred=True, weight_plausible=None))
    assert result.mass.origin is Origin.INFERRED
    assert result.notes == ("no weight was given: the mass was estimated by the model",)


def test_a_rejected_weight_is_not_reported_as_missing() -> None:
    result = footprint(FACTORS, bill(("resin", 1.5), mass_inferred=True, weight_plausible=False))
    assert result.mass.origin is Origin.INFERRED
    assert result.notes == (
        "the model doubts that the given weight is that of one unit",
        "the weight was not used: the mass was estimated by the model",
    )


@pytest.mark.parametrize(
    ("weight_kg", "said"),
    [
        (0.75, "the figure is for 1.5 kg, 2 times heavier"),
        (1500.0, "the figure is for 1.5 kg, 1,000 times lighter"),
    ],
)
def test_a_stated_weight_is_never_replaced_without_both_figures(
    weight_kg: float, said: str
) -> None:
    doubted = bill(("resin", 1.5), mass_inferred=True, weight_plausible=False)
    notes = footprint(FACTORS, doubted, weight_kg=weight_kg).notes
    (note,) = (note for note in notes if note.startswith("the catalogue says"))
    assert said in note


def test_doubts_about_the_weight_are_noted() -> None:
    result = footprint(FACTORS, bill(("resin", 1.0), stated_mass_kg=1.2, weight_plausible=False))
    assert result.notes == (
        "the model doubts that the given weight is that of one unit",
        "the material masses came to 1.2 kg, 20% off, and were scaled to 1 kg",
    )


@pytest.mark.parametrize(
    ("materials", "uses", "named"),
    [
        ([("unobtainium", 1.0)], [], "no material 'unobtainium'"),
        ([("resin", 1.0)], [("wish", "resin")], "no process 'wish'"),
        ([("resin", 1.0)], [("mould", "board")], "'board', which is not in the"),
        ([("resin", 0.0)], [], "'resin' is 0.0 kg"),
        ([("resin", -1.0)], [], "'resin' is -1.0 kg"),
        ([("resin", math.nan)], [], "'resin' is nan kg"),
        ([("resin", math.inf)], [], "'resin' is inf kg"),
        ([], [], "bill of materials of 'P-1' is empty"),
    ],
)
def test_uncomputable_answers_raise_a_clear_error(
    materials: list[tuple[str, float]], uses: list[tuple[str, str]], named: str
) -> None:
    with pytest.raises(CalculationError, match=named):
        footprint(FACTORS, bill(*materials), worked(*uses))
