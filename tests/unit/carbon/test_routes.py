"""Both routes to a figure: each is the sum of its contributions, and the figure follows from what
is exported.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.carbon_builders import bill, cited, footprint, material, table
from weighbridge.carbon.calculate import calculate
from weighbridge.carbon.factors import AlikeKind, ClassReference, FactorTable
from weighbridge.carbon.notes import name_notes, replaced_weight_notes
from weighbridge.domain.answers import (
    PIECES_PER_PACK,
    Attribute,
    AttributeBasis,
    BillOfMaterials,
    Classification,
    Confidence,
    ManufacturingProcesses,
    WeightBasis,
)
from weighbridge.domain.products import Product
from weighbridge.domain.results import ContributionKind, Footprint, RouteName
from weighbridge.errors import FactorTableInvalid
from weighbridge.factor_sources.bundled import BundledFactors

BUNDLED = BundledFactors().load()
NO_USES = ManufacturingProcesses((), Confidence.HIGH)
MASSES = st.floats(min_value=1e-3, max_value=1e4)
Published = tuple[str, float, float | None]
"""A maker, its figure and the mass of its product in kg."""

PUBLISHED = st.lists(
    st.tuples(
        st.sampled_from(["Acme", "Other", "Third"]),
        st.floats(0.01, 1e4),
        st.none() | st.floats(0.01, 1e3),
    ),
    min_size=1,
    max_size=6,
)


def with_references(published: list[Published]) -> FactorTable:
    plain = table([material("resin", 2.0), material("laptop", 20.0, complete_article=True)])
    references = [
        ClassReference(
            f"r{n}",
            "Tools & hardware",
            "Hand tools",
            "A tool",
            maker,
            kg,
            False,
            mass,
            0.0,
            1,
            cited(),
        )
        for n, (maker, kg, mass) in enumerate(published)
    ]
    return FactorTable.of(
        "test",
        plain.materials.values(),
        plain.processes.values(),
        plain.electricity.values(),
        plain.heat,
        references=references,
    )


def combined(result: Footprint) -> float:
    return math.exp(
        math.fsum(
            route.weight * math.log(route.emissions_kg_co2e)
            for route in result.routes
            if route.weight > 0
        )
    )


@settings(max_examples=60, deadline=None)
@given(PUBLISHED, MASSES, st.booleans())
def test_routes_are_sums_and_the_figure_their_weighted_geometric_mean(
    published: list[Published], mass_kg: float, inferred: bool
) -> None:
    lines = bill(
        ("resin", mass_kg), mass_inferred=inferred, weight_plausible=None if inferred else True
    )
    result = footprint(with_references(published), lines)
    for route in result.routes:
        own = [one.emissions_kg_co2e for one in result.contributions if one.route is route.name]
        assert math.fsum(own) == pytest.approx(route.emissions_kg_co2e, rel=1e-9)
        assert 0 < route.low_kg_co2e <= route.emissions_kg_co2e <= route.high_kg_co2e
    assert math.fsum(route.weight for route in result.routes) == pytest.approx(1, rel=1e-9)
    assert combined(result) == pytest.approx(result.emissions_kg_co2e, rel=1e-9)
    assert math.fsum(result.shares) == pytest.approx(1, rel=1e-9)
    lowest, highest = sorted(route.emissions_kg_co2e for route in result.routes)
    assert lowest * (1 - 1e-9) <= result.emissions_kg_co2e <= highest * (1 + 1e-9)


@given(PUBLISHED, MASSES)
def test_the_same_inputs_give_the_same_footprint_to_the_bit(
    published: list[Published], mass_kg: float
) -> None:
    factors = with_references(published)
    assert footprint(factors, bill(("resin", mass_kg))) == footprint(
        with_references(published), bill(("resin", mass_kg))
    )


def test_a_product_twice_as_heavy_has_a_class_figure_one_and_a_half_times_as_large() -> None:
    factors = with_references([("Acme", 10.0, 1.0)])
    one, two = (footprint(factors, bill(("resin", kg))).routes[1] for kg in (1.0, 2.0))
    assert one.emissions_kg_co2e == pytest.approx(10.0)
    assert two.emissions_kg_co2e == pytest.approx(10.0 * 2**0.65)


def test_a_maker_of_many_products_counts_more_but_never_for_all_of_them() -> None:
    acme: Published = ("Acme", 10.0, 1.0)
    other: Published = ("Other", 40.0, 1.0)

    def figure(published: list[Published]) -> float:
        return (
            footprint(with_references(published), bill(("resin", 1.0))).routes[1].emissions_kg_co2e
        )

    assert figure([acme, other]) == pytest.approx(20)
    # By hand: 1 / (0.3² + 0.5² / 3) = 5.769 for Acme, 1 / (0.3² + 0.5²) = 2.941 for the other.
    assert figure([acme] * 3 + [other]) == pytest.approx(
        10 ** (5.769 / 8.71) * 40 ** (2.941 / 8.71), rel=1e-3
    )
    # With no end of products, Acme would count 1 / 0.3² = 11.11.
    least = 10 ** (11.11 / 14.05) * 40 ** (2.941 / 14.05)
    assert least < figure([acme] * 500 + [other]) < least * 1.01


def test_a_maker_that_states_no_mass_counts_per_unit_beside_one_that_does() -> None:
    factors = with_references([("Acme", 10.0, 1.0), ("Other", 40.0, None)])
    light, heavy = (footprint(factors, bill(("resin", kg))).routes[1] for kg in (1.0, 4.0))
    assert light.emissions_kg_co2e == pytest.approx(20.0)
    assert heavy.emissions_kg_co2e == pytest.approx((10.0 * 4**0.65 * 40.0) ** 0.5)


def test_a_bill_of_whole_articles_shows_the_class_and_does_not_count_it() -> None:
    result = footprint(with_references([("Acme", 10.0, 1.0)]), bill(("laptop", 1.0)))
    assert [(route.name, route.weight) for route in result.routes] == [
        (RouteName.BILL, 1.0),
        (RouteName.CLASS, 0.0),
    ]
    assert result.emissions_kg_co2e == pytest.approx(20.0)
    assert result.disagreement is None


def test_routes_far_apart_are_said_and_cost_quality() -> None:
    near = footprint(with_references([("Acme", 2.0, 1.0)]), bill(("resin", 1.0)))
    far = footprint(with_references([("Acme", 40.0, 1.0)]), bill(("resin", 1.0)))
    assert (near.dominance, near.notes) == ("both agree", ())
    assert far.dominance == "routes disagree ×20"
    assert "disagree ×20" in far.notes[0]
    assert far.disagreement == pytest.approx(20.0)
    assert far.data_quality.technological > near.data_quality.technological
    assert far.high_kg_co2e / far.low_kg_co2e > near.high_kg_co2e / near.low_kg_co2e


def test_reference_of_another_size_counts_less_when_nobody_knows_the_weight() -> None:
    factors = with_references([("Acme", 450.0, 90.0)])
    near, far = (
        footprint(factors, bill(("resin", kg), mass_inferred=True, weight_plausible=None))
        for kg in (90.0, 19.0)
    )
    assert near.routes[1].emissions_kg_co2e == far.routes[1].emissions_kg_co2e == pytest.approx(450)
    assert far.routes[1].weight < near.routes[1].weight
    assert far.emissions_kg_co2e < near.emissions_kg_co2e


def test_references_tell_less_of_a_product_the_further_its_weight_is_from_theirs() -> None:
    factors = with_references([("Acme", 100.0, 10.0)])
    same, double, tenth, thousandth = (
        footprint(factors, bill(("resin", kg))).routes[1].weight for kg in (10.0, 20.0, 1.0, 0.01)
    )
    assert same == double > tenth > thousandth
    assert tenth > 0.2
    assert thousandth < 0.05


def test_figures_in_notes_have_no_exponent() -> None:
    far = footprint(with_references([("Acme", 45_012.0, 1.0)]), bill(("resin", 1.0)))
    assert "2 kg CO2e by the bill of materials, 45,000 by published figures" in far.notes[0]


def only(reference: ClassReference) -> FactorTable:
    plain = with_references([])
    return FactorTable.of(
        "test",
        plain.materials.values(),
        plain.processes.values(),
        plain.electricity.values(),
        plain.heat,
        references=[reference],
    )


def test_a_reference_that_needs_a_part_counts_only_for_products_that_have_it() -> None:
    (plain,) = with_references([("Acme", 40.0, 1.0)]).references["Tools & hardware", "Hand tools"]
    factors = only(replace(plain, needs=frozenset({"lap"})))
    without = footprint(factors, bill(("resin", 1.0)))
    having = footprint(factors, bill(("resin", 0.9), ("laptop", 0.1)))
    assert [route.name for route in without.routes] == [RouteName.BILL]
    assert having.routes[1].emissions_kg_co2e == pytest.approx(40.0)


def test_a_reference_cannot_need_what_no_material_is_called() -> None:
    (plain,) = with_references([("Acme", 40.0, 1.0)]).references["Tools & hardware", "Hand tools"]
    with pytest.raises(FactorTableInvalid, match="no material's key begins with"):
        only(replace(plain, needs=frozenset({"engine"})))


@pytest.mark.parametrize(
    ("category", "kind", "whole", "kilograms"),
    [
        ("Paper & packaging", "Corrugated boxes", [("corrugated_board", 1.0)], 1.0),
        ("Food & beverages", "Juices", [("food_orange", 1.0), ("pet_resin", 0.25)], 1.0),
    ],
)
def test_a_figure_per_kilogram_of_food_leaves_out_its_package_and_no_other_does(
    category: str, kind: str, whole: list[tuple[str, float]], kilograms: float
) -> None:
    result = footprint(BUNDLED, bill(*whole), category=category, subcategory=kind)
    published = [
        one for one in result.contributions if one.kind is ContributionKind.CLASS_REFERENCE
    ]
    assert sum(one.activity for one in published) == pytest.approx(kilograms)


@pytest.mark.parametrize(
    ("kind", "lines", "others"),
    [
        ("Bread & bakery", ["food_wheat_flour", "food_yeast"], ["Cake and pastry", "Viennoiserie"]),
        ("Cereals, rice & pasta", ["food_rice_basmati"], ["Pasta", "Cereal grain"]),
        ("Milk & cream", ["food_milk"], ["Cream"]),
        ("Soft drinks & water", ["water"], ["Soft drink"]),
        ("Other meat", ["food_turkey"], ["Lamb and mutton, raw"]),
    ],
)
def test_a_food_is_not_compared_with_foods_whose_ingredients_it_lacks(
    kind: str, lines: list[str], others: list[str]
) -> None:
    result = footprint(
        BUNDLED,
        bill(*((line, 0.5) for line in lines)),
        category="Food & beverages",
        subcategory=kind,
    )
    named = " ".join(one.label for one in result.contributions)
    assert "ADEME AGRIBALYSE" in named
    assert not any(other in named for other in others)


def of_pack(pieces: float, mass_kg: float) -> BillOfMaterials:
    named = Attribute(PIECES_PER_PACK, pieces, AttributeBasis.STATED)
    return replace(bill(("resin", mass_kg)), attributes=(named,))


def test_a_pack_counts_as_its_pieces_unless_each_would_weigh_next_to_nothing() -> None:
    factors = with_references([("Acme", 10.0, 1.0)])
    ten = footprint(factors, of_pack(10, 10.0))
    assert ten.routes[1].emissions_kg_co2e == pytest.approx(100)
    assert not any("per pack" in note for note in ten.notes)
    absurd = footprint(factors, of_pack(1e9, 10.0))
    assert absurd.routes[1].emissions_kg_co2e == pytest.approx(10 * 10**0.65)
    assert absurd.notes[0].startswith("dropped: 1e+09 pieces per pack, because each would weigh")


@pytest.mark.parametrize("mass_kg", [1e-6, 0.03, 31.0, 1e9])
def test_a_weight_far_from_all_published_products_is_noted(mass_kg: float) -> None:
    result = footprint(with_references([("Acme", 10.0, 1.0)]), bill(("resin", mass_kg)))
    assert any("is far from that of published products" in note for note in result.notes)


def test_a_declared_unit_may_have_any_mass() -> None:
    tonne = replace(bill(("resin", 1000.0)), weight_basis=WeightBasis.DECLARED_UNIT)
    result = footprint(with_references([("Acme", 10.0, 1.0)]), tonne)
    assert not any("far from that" in note for note in result.notes)


@pytest.mark.parametrize("mass_kg", [1e-7, 2e7])
def test_a_weight_that_hardly_any_product_has_is_noted_without_references(mass_kg: float) -> None:
    result = footprint(table([material("resin")]), bill(("resin", mass_kg)))
    assert any(note.startswith("hardly any product weighs") for note in result.notes)


def borrowing(published: list[Published]) -> FactorTable:
    """References of another kind that is like the product's."""
    known = with_references(published)
    (kind,) = known.references
    moved = [
        replace(one, subcategory="Power tools")
        for ones in known.references.values()
        for one in ones
    ]
    return FactorTable.of(
        "test",
        known.materials.values(),
        known.processes.values(),
        known.electricity.values(),
        known.heat,
        references=moved,
        alike=[AlikeKind(kind, (kind[0], "Power tools"))],
    )


def test_a_kind_that_nobody_published_is_compared_with_one_that_is_made_alike() -> None:
    published: list[Published] = [("Acme", 10.0, 1.0), ("Other", 12.0, 1.0)]
    own = footprint(with_references(published), bill(("resin", 1.0)))
    borrowed = footprint(borrowing(published), bill(("resin", 1.0)))
    assert own.routes[1].emissions_kg_co2e == borrowed.routes[1].emissions_kg_co2e
    # By hand: the least spread, 0.5, and 0.6 between kinds that are alike.
    assert borrowed.routes[1].log_sigma == pytest.approx(math.hypot(0.5, 0.6))
    assert borrowed.routes[1].weight < own.routes[1].weight
    assert borrowed.data_quality.technological > own.data_quality.technological
    assert (
        "no published figures of Hand tools: compared with those of Power tools" in borrowed.notes
    )


def test_the_figures_of_a_kind_itself_win_over_those_of_kinds_alike() -> None:
    own = with_references([("Acme", 10.0, 1.0)])
    (kind,) = own.references
    alike = AlikeKind(kind, (kind[0], "Power tools"))
    both = FactorTable.of(
        "test",
        own.materials.values(),
        own.processes.values(),
        own.electricity.values(),
        own.heat,
        references=[
            *own.references[kind],
            replace(own.references[kind][0], key="x", subcategory="Power tools", kg_co2e=1e4),
        ],
        alike=[alike],
    )
    lines = bill(("resin", 1.0))
    assert footprint(both, lines) == footprint(own, lines)
    assert both.version != own.version


def test_parts_that_come_to_more_than_published_products_make_those_count_less() -> None:
    phone = Classification("Consumer electronics", "Smartphones", Confidence.HIGH)

    def figure(flash_gb: float) -> Footprint:
        lines = bill(("pcb_assembled_phone", 0.02), ("aluminium_ordinary", 0.16))
        flash = Attribute("flash_gb", flash_gb, AttributeBasis.STATED)
        return calculate(
            Product("P-1", "Phone", ""),
            phone,
            replace(lines, attributes=(flash,)),
            NO_USES,
            BUNDLED,
        )

    usual, full = figure(128), figure(1024)
    assert full.routes[1].emissions_kg_co2e == usual.routes[1].emissions_kg_co2e
    # By hand: 1,024 GB at 0.1 kg.
    beyond = math.log(102.4 / full.routes[1].emissions_kg_co2e)
    assert full.routes[1].log_sigma == pytest.approx(math.hypot(usual.routes[1].log_sigma, beyond))
    assert full.routes[1].weight < usual.routes[1].weight
    assert [note for note in full.notes if "alone come to 100 kg CO2e" in note]
    assert [note for note in usual.notes if "alone come to" in note] == []


@pytest.mark.parametrize(
    ("name", "mass_kg", "says"),
    [
        ("Ground coffee 500 g", 510.0, "500 g"),
        ("Ground coffee 500 g", 0.51, None),
        ("Cement 25kg bag", 25_000.0, "25kg"),
        ("Cement 25 kg, pallet of 40", 1_000.0, None),
        ("Dog food 2,5 kg", 2_500.0, "2,5 kg"),
        ("Yoghurt 4 x 125 g", 0.0005, "4 x 125 g"),
        ("T-shirt 160 g/m2", 150.0, None),
        ("T-shirt 160 gsm", 150.0, None),
        ("Jar 500 ml", 350.0, None),
        ("Bathroom scale up to 180 kg", 1.8, None),
        ("Nothing 0 g", 5.0, None),
    ],
)
def test_a_weight_a_thousand_times_off_the_name_is_noted(
    name: str, mass_kg: float, says: str | None
) -> None:
    found = name_notes(name, "Tools & hardware", bill(("resin", mass_kg)))
    assert [note.partition(",")[0] for note in found] == (
        [] if says is None else [f"the name says {says}".partition(",")[0]]
    )


@pytest.mark.parametrize(
    "name", ["Notebook 4G", "Router 5G/4G", "Server 8G RAM", "Notebook 16G 512G"]
)
def test_a_capital_g_in_the_name_of_electronics_is_no_gram(name: str) -> None:
    assert name_notes(name, "Consumer electronics", bill(("resin", 25.0))) == ()
    assert name_notes("Earbud 5 g", "Consumer electronics", bill(("resin", 25.0))) != ()


def test_a_corrected_mass_a_thousand_times_off_the_catalogue_is_noted() -> None:
    heavy = bill(("resin", 2500.0))
    (note,) = replaced_weight_notes(2.35, heavy)
    assert note.startswith("the catalogue says 2.35 kg, the figure is for 2,500 kg, 1,100 times")
    assert replaced_weight_notes(2.35, bill(("resin", 4.0))) == ()
    assert replaced_weight_notes(None, heavy) == ()
    assert replaced_weight_notes(2.35, replace(heavy, weight_basis=WeightBasis.PALLET)) == ()


def test_litres_in_the_name_of_a_drink_are_a_weight() -> None:
    heavy = bill(("resin", 1030.0))
    assert name_notes("Whole milk 1 l", "Food & beverages", heavy) == (
        "the name says 1 l, and the weight is 1,030 kg: check the weight and its unit",
    )
    assert (
        name_notes("Whole milk 1 l", "Food & beverages", replace(heavy, mass_inferred=True)) == ()
    )
