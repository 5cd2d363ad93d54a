"""Figures against what was published: ratios, groups, makers left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.carbon_builders import bill, cited, material, table, worked
from weighbridge.carbon.factors import ClassReference, FactorTable
from weighbridge.domain.answers import Answer, Classification, Confidence
from weighbridge.domain.products import Product
from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.service.evaluation.judging import evaluate, is_maker
from weighbridge.service.evaluation.plot import scatter
from weighbridge.service.evaluation.scores import (
    ComparedFigure,
    baseline,
    bootstrap,
    by_group,
    distinct,
    median_error,
    scores,
)
from weighbridge.service.evaluation.truth import Truth, read_truth

if TYPE_CHECKING:
    from pathlib import Path


def truth(code: str, low: float, high: float | None = None, maker: str = "A") -> Truth:
    return Truth(code, low, low if high is None else high, "tools", maker, "")


def judged(
    code: str, computed: float, published: float, maker: str = "A", mass_kg: float = 1.0
) -> ComparedFigure:
    return ComparedFigure(
        "Tools & hardware / Hand tools",
        mass_kg,
        computed,
        computed / 2,
        computed * 2,
        "both",
        truth(code, published, maker=maker),
    )


def test_a_figure_inside_a_published_range_is_right_and_one_outside_is_off_by_the_nearer_end() -> (
    None
):
    published = truth("A", 10.0, 20.0)
    assert [published.ratio(kg) for kg in (5.0, 10.0, 15.0, 20.0, 40.0)] == [0.5, 1, 1, 1, 2]


def test_scores_are_those_worked_out_by_hand() -> None:
    found = scores("all", [judged("A", 1, 1), judged("B", 2, 1), judged("C", 1, 4)])
    assert found.median_error == pytest.approx(0.75)
    assert found.within_2 == pytest.approx(2 / 3)
    assert found.bias == pytest.approx((1 * 2 * 0.25) ** (1 / 3))
    assert found.covered == pytest.approx(2 / 3)


def test_rank_correlation_knows_order_and_ties() -> None:
    rising = [judged(str(n), n, n * n) for n in (1, 2, 3, 4)]
    falling = [judged(str(n), n, 10 - n) for n in (1, 2, 3, 4)]
    alike = [judged(str(n), 1, n) for n in (1, 2, 3)]
    assert scores("", rising).rank_correlation == pytest.approx(1)
    assert scores("", falling).rank_correlation == pytest.approx(-1)
    assert scores("", alike).rank_correlation is None


def test_a_product_reported_in_three_years_counts_once() -> None:
    rows = [judged(f"A-{year}", kg, 1) for year, kg in ((2015, 1), (2016, 2), (2017, 9))]
    (once,) = distinct(rows)
    assert once.ratio == 2


def test_of_two_rows_neither_the_higher_nor_the_lower_is_taken() -> None:
    (once,) = distinct([judged("A-2015", 8, 1), judged("A-2016", 2, 4)])
    assert (once.emissions_kg_co2e, once.truth.low_kg_co2e, once.ratio) == (4, 2, 2)


def test_products_of_another_maker_or_mass_are_distinct() -> None:
    rows = [judged("A", 1, 1), judged("B", 1, 1, maker="B"), judged("C", 1, 1, mass_kg=1.5)]
    assert distinct(rows) == rows


def test_groups_are_named_and_products_without_one_are_left_out() -> None:
    rows = [judged("A", 1, 1, "Acme"), judged("B", 1, 1, "")]
    assert [group.name for group in by_group(rows, lambda one: one.truth.maker)] == ["Acme"]


def test_the_bootstrap_draws_makers_and_is_the_same_every_time() -> None:
    rows = [judged(str(n), n + 1, 1, f"maker {n}") for n in range(5)]
    low, high = bootstrap(rows, median_error)
    assert low < median_error([one.ratio for one in rows]) <= high
    assert bootstrap(rows, median_error) == (low, high)


def test_the_baseline_never_looks_at_the_products_own_maker() -> None:
    rows = [judged("A", 1, 10, "A"), judged("B", 1, 40, "B")]
    assert baseline(rows) == [4.0, 0.25]
    assert baseline(rows[:1]) == []


@pytest.mark.parametrize(
    ("reference", "company", "same"),
    [
        ("HP", "HP Inc.", True),
        ("HP", "Hewlett-Packard Company", True),
        ("Lenovo", "Lenovo Group Ltd", True),
        ("Lenovo", "LENOVO", True),
        ("ADEME Base Carbone v22.0", "Acme", False),
        ("HP", "Philips", False),
        ("HP", "", False),
        ("Levi Strauss", "Levi Strauss & Co.", True),
        ("Levi Strauss", "Levi Roots", False),
        ("", "Acme", False),
        ("Acme", "", False),
    ],
)
def test_makers_are_known_by_name_word_or_initials(
    reference: str, company: str, same: bool
) -> None:
    assert is_maker(reference, company) is same


def with_references() -> FactorTable:
    plain = table([material("resin", 2.0)])
    references = [
        ClassReference(
            maker, "Tools & hardware", "Hand tools", "x", maker, kg, False, 1.0, 0.0, 1, cited()
        )
        for maker, kg in (("Acme", 100.0), ("Other", 3.0))
    ]
    return FactorTable.of(
        "test",
        plain.materials.values(),
        plain.processes.values(),
        plain.electricity.values(),
        plain.heat,
        references=references,
    )


def test_no_product_is_judged_by_its_own_makers_figures() -> None:
    answers: dict[str, Answer] = {
        "classification": Classification("Tools & hardware", "Hand tools", Confidence.HIGH),
        "bill_of_materials": bill(("resin", 1.0)),
        "manufacturing": worked(),
    }
    products = [Product("A", "Hammer", ""), Product("B", "Saw", ""), Product("C", "No truth", "")]
    truths = {code: truth(code, 3.0, maker="Acme") for code in ("A", "B", "D")}
    found = evaluate(products, truths, {"A": answers}, with_references())
    kept = evaluate(products, truths, {"A": answers}, with_references(), keep_own_maker=True)
    assert found.judged[0].emissions_kg_co2e == pytest.approx((2 * 3) ** 0.5)
    assert kept.judged[0].emissions_kg_co2e != found.judged[0].emissions_kg_co2e
    assert found.left_out == {"B": "no answer", "D": "not in the catalogue"}


def test_published_figures_are_read_as_figures_or_ranges(tmp_path: Path) -> None:
    figures = tmp_path / "figures.csv"
    figures.write_text("code,cradle_to_gate_kg_co2e,company\nA,5,Acme\n")
    ranges = tmp_path / "ranges.csv"
    ranges.write_text("code,low_kg_co2e,high_kg_co2e\nA,5,9\n")
    assert read_truth(figures).truths["A"].maker == "Acme"
    assert read_truth(ranges).truths["A"].middle_kg_co2e == pytest.approx(45**0.5)
    assert not read_truth(figures).left_out


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("B,", "low_kg_co2e must be a number above 0, not ''"),
        ("B", "low_kg_co2e must be a number above 0, not ''"),
        ("B,5", "high_kg_co2e must be a number above 0, not ''"),
        ("B,-1,4", "not '-1'"),
        ("B,0,4", "not '0'"),
        ("B,nan,4", "not 'nan'"),
        ("B,5,inf", "not 'inf'"),
        ("B,five,9", "not 'five'"),
        ("B,9,5", "low_kg_co2e is above high_kg_co2e"),
        (",5,9", "a figure needs the code"),
        ("A,6,9", "the code appears twice in the file; its first figure is used"),
        ("B,nan,9,surplus", "not 'nan'"),
    ],
)
def test_a_row_without_a_usable_figure_is_left_out_with_the_reason(
    tmp_path: Path, row: str, reason: str
) -> None:
    path = tmp_path / "ranges.csv"
    path.write_text(f"code,low_kg_co2e,high_kg_co2e\nA,5,9\n{row}\nC,2,3\n")
    read = read_truth(path)
    assert {code: truth.low_kg_co2e for code, truth in read.truths.items()} == {"A": 5, "C": 2}
    [(place, said)] = read.left_out.items()
    assert "row 3 of ranges.csv" in place
    assert reason in said


def test_a_truth_that_cannot_be_read_says_what_it_needs(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("code,price\nA,5\n")
    with pytest.raises(MissingColumn, match="cradle_to_gate_kg_co2e"):
        read_truth(wrong)
    with pytest.raises(UnreadableFile):
        read_truth(tmp_path / "missing.csv")


def test_the_plot_has_a_point_for_every_product_and_escapes_names() -> None:
    svg = scatter([judged("A", 1, 1), judged("B", 300, 1000)], "<title> & more")
    assert svg.count("<circle") == 2
    assert "&lt;title&gt; &amp; more" in svg
