"""One answer serves siblings of a design, and never a neighbour that only sounds like one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.near_misses import near_misses
from weighbridge.domain.products import Product
from weighbridge.planning.variants import (
    Candidate,
    Standing,
    design_of,
    may_answer_for,
    plan_variants,
    sharing_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SIBLINGS = [
    ("T-shirt Rio, navy blue, XL", "T-Shirt Rio, rot, Größe S"),
    ("T-shirt Rio (white) size 3XL", "T-shirt Rio, black, M"),
    ("Steel bottle 500 ml", "Steel bottle 0,75 l"),
    ("Jeans Rio 32/34", "Jeans Rio W30 L32"),
    ("Laufschuh Strider Gr. 42", "Laufschuh Strider EU 43,5"),
    ("Bolts M6, pack of 10", "Bolts M6, 50 pcs"),
    ("Schwarze Socken 39/42", "Weiße Socken 43/46"),
    ("Shampoo Kids 6 x 250 ml", "Shampoo Kids 12 x 250 ml"),
    ("Cotton towel 50 x 100 cm, light grey", "Cotton towel 70x140 cm, dark green"),
    ("Chaise Lyon, rouge", "Chaise Lyon, bleu foncé"),
    ("Silla Madrid negra", "Silla Madrid azul"),
    ("Stoel Utrecht, zwart", "Stoel Utrecht, donker groen"),
    ("Krzesło Gdańsk, czarne", "Krzesło Gdańsk, białe"),
    ("Smartphone Nova 5G, black", "Smartphone Nova 5G, white"),
    ("Cotton rug 1200 g/m², red", "Cotton rug 1200 g/m², blue"),
    ("不锈钢保温杯 500ml", "不锈钢保温杯 750ml"),
]
NEAR_MISSES = [(one, other) for _, one, other in near_misses()]


def _product(name: str, weight_kg: float | None = 1.0, **fields: str) -> Product:
    return Product(fields.get("code", "C-1"), name, fields.get("description", ""), weight_kg)


def _share(first: Product, second: Product) -> bool:
    return may_answer_for(first, second, (design_of(first), design_of(second)))


@pytest.mark.parametrize(("first", "second"), SIBLINGS)
def test_siblings_share_an_answer(first: str, second: str) -> None:
    assert _share(_product(first), _product(second))


def test_near_misses_are_asked_on_their_own() -> None:
    assert len(NEAR_MISSES) >= 300
    assert [pair for pair in NEAR_MISSES if _share(_product(pair[0]), _product(pair[1]))] == []


def test_article_number_in_text_does_not_make_another_design() -> None:
    first = Product("LC-40", "Pot LC-40", "Cast iron pot, article LC-40.", 1.0)
    second = Product("LC-50", "Pot LC-50", "Cast iron pot, article LC-50.", 1.2)
    assert _share(first, second)


def test_description_counts_as_much_as_the_name() -> None:
    first = _product("Bottle 500 ml", description="Made of stainless steel.")
    second = _product("Bottle 750 ml", description="Made of borosilicate glass.")
    assert not _share(first, second)


@pytest.mark.parametrize(
    ("weights", "shared"),
    [((1.0, 3.9), True), ((1.0, 4.1), False), ((None, None), True), ((1.0, None), False)],
)
def test_weights_decide_between_colours(
    weights: tuple[float | None, float | None], shared: bool
) -> None:
    first, second = _product("Mug, red", weights[0]), _product("Mug, blue", weights[1])
    assert _share(first, second) is shared


def test_sizes_without_weights_are_asked() -> None:
    assert not _share(_product("Mug 200 ml", None), _product("Mug 300 ml", None))


def test_different_pictures_are_a_doubt() -> None:
    first = Product("A", "Mug, red", "", 0.3, image_url="https://example.com/a.png")
    second = Product("B", "Mug, blue", "", 0.3, image_url="https://example.com/b.png")
    assert not _share(first, second)


names = st.sampled_from([name for pair in SIBLINGS + NEAR_MISSES for name in pair])


@given(st.lists(st.tuples(names, st.floats(0.1, 50.0)), max_size=30))
def test_every_product_is_asked_or_waits_for_one_that_is(
    catalogue: Sequence[tuple[str, float]],
) -> None:
    plan = plan_variants(
        (number, product, design_of(product))
        for number, product in enumerate(_product(name, weight) for name, weight in catalogue)
    )
    assert plan.asked | plan.waiting.keys() == set(range(len(catalogue)))
    assert plan.asked >= set(plan.waiting.values())
    assert not plan.asked & plan.waiting.keys()
    assert not plan.answered


@given(
    st.lists(
        st.tuples(
            names,
            st.none() | st.floats(0.1, 50.0),
            st.sampled_from([None, "https://example.com/a.jpg", "https://example.com/b.jpg"]),
        ),
        max_size=30,
    )
)
def test_whoever_is_asked_is_the_first_that_none_before_could_answer_for(
    catalogue: Sequence[tuple[str, float | None, str | None]],
) -> None:
    """By comparing every product with all that are asked, whatever they share."""
    products = [Product("", name, "", weight, image_url=url) for name, weight, url in catalogue]
    designs = [design_of(product) for product in products]
    waiting: dict[int, int] = {}
    asked: list[int] = []
    for number, product in enumerate(products):
        for other in asked:
            if may_answer_for(products[other], product, (designs[other], designs[number])):
                waiting[number] = other
                break
        else:
            asked.append(number)
    plan = plan_variants(zip(range(len(products)), products, designs, strict=True))
    assert (plan.asked, plan.waiting) == (set(asked), waiting)


def test_products_that_share_nothing_with_others_are_not_compared_with_them() -> None:
    """20,000 of one design, each with a picture of its own, took minutes."""
    products = [Product("", "Bottle", "", 1.0, image_url=f"https://a.test/{n}") for n in range(50)]
    keys = {sharing_key(product, design_of(product)) for product in products}
    assert len(keys) == len(products)


def _candidate(product_id: int, product: Product, standing: Standing) -> Candidate:
    return Candidate(product_id, product, design_of(product), standing)


@pytest.mark.parametrize(
    ("standings", "asked", "answered", "waiting"),
    [
        ((Standing.ANSWERED,), set(), {9: 1}, {}),
        ((Standing.ASKED,), set(), {}, {9: 1}),
        ((Standing.FAILED,), {9}, {}, {}),
        ((Standing.ASKED, Standing.FAILED), {9}, {}, {}),
        ((Standing.FAILED, Standing.ANSWERED), set(), {9: 2}, {}),
        ((Standing.ASKED, Standing.ASKED), set(), {}, {9: 1}),
    ],
)
def test_standing_of_siblings_decides_who_is_asked(
    standings: Sequence[Standing],
    asked: set[int],
    answered: dict[int, int],
    waiting: dict[int, int],
) -> None:
    product = _product("Mug, red")
    design = design_of(product)
    siblings = [
        _candidate(number, _product("Mug, blue"), standing)
        for number, standing in enumerate(standings, 1)
    ]
    assert plan_variants([(9, product, design)], siblings) == (
        asked,
        answered,
        waiting,
    )


@given(st.text(max_size=60))
def test_any_text_has_a_design_and_is_its_own_sibling(text: str) -> None:
    assert _share(_product(text), _product(text))
