"""Calculates the products of a catalogue from their answers, and puts the figures beside what was
published.

No product is judged by what its own maker published: where references of that maker are among the
factors, they are left out for its products.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from weighbridge.carbon.calculate import calculate
from weighbridge.domain.answers import BillOfMaterials, Classification, ManufacturingProcesses
from weighbridge.errors import CalculationError
from weighbridge.service.evaluation.scores import ComparedFigure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import Answer, StepName
    from weighbridge.domain.products import Product
    from weighbridge.service.evaluation.truth import Truth


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Products that could be judged, and for the others with a published figure why not."""

    judged: tuple[ComparedFigure, ...]
    left_out: Mapping[str, str]


def evaluate(
    products: Sequence[Product],
    truths: Mapping[str, Truth],
    answers: Mapping[str, Mapping[StepName, Answer]],
    factors: FactorTable,
    *,
    keep_own_maker: bool = False,
) -> Evaluation:
    """Judge every product that has both an answer and a published figure."""
    makers = sorted({one.maker for kind in factors.references.values() for one in kind})
    countries = {grid.name.casefold(): code for code, grid in factors.electricity.items()}
    without = lru_cache(None)(factors.without_maker)
    judged: list[ComparedFigure] = []
    read = {product.code for product in products}
    left_out = {code: "not in the catalogue" for code in truths if code not in read}
    for product in products:
        truth = truths.get(product.code)
        if truth is None:
            continue
        own = [maker for maker in makers if not keep_own_maker and is_maker(maker, truth.maker)]
        table = without(own[0]) if own else factors
        country = product.country_of_origin or countries.get(truth.country.casefold())
        try:
            judged.append(
                _judge(replace(product, country_of_origin=country), truth, answers, table)
            )
        except (KeyError, CalculationError) as error:
            left_out[product.code] = "no answer" if isinstance(error, KeyError) else str(error)
    return Evaluation(tuple(judged), left_out)


def _judge(
    product: Product,
    truth: Truth,
    answers: Mapping[str, Mapping[StepName, Answer]],
    factors: FactorTable,
) -> ComparedFigure:
    """The computed figure (kg CO2e, with its 95 % range) beside the published one."""
    classification, bill, processes = _of_steps(answers[product.code].values())
    footprint = calculate(product, classification, bill, processes, factors)
    return ComparedFigure(
        kind=f"{classification.category} / {classification.subcategory}",
        mass_kg=footprint.mass.value,
        emissions_kg_co2e=footprint.emissions_kg_co2e,
        low_kg_co2e=footprint.low_kg_co2e,
        high_kg_co2e=footprint.high_kg_co2e,
        decided_by=footprint.dominance,
        truth=truth,
    )


def _of_steps(
    answers: Iterable[Answer],
) -> tuple[Classification, BillOfMaterials, ManufacturingProcesses]:
    """KeyError: one is missing."""
    by_step = {answer.step: answer for answer in answers}
    classification = by_step[Classification.step]
    bill = by_step[BillOfMaterials.step]
    processes = by_step[ManufacturingProcesses.step]
    assert isinstance(classification, Classification)  # noqa: S101 - by the name of their step
    assert isinstance(bill, BillOfMaterials)  # noqa: S101
    assert isinstance(processes, ManufacturingProcesses)  # noqa: S101
    return classification, bill, processes


def is_maker(reference: str, company: str) -> bool:
    """Whether the maker of a reference is this company: by the words of its name, or its
    initials.
    """
    words = re.findall(r"\w+", company.casefold())
    initials = "".join(word[0] for word in words[:2])
    wanted = reference.casefold()
    named = set(re.findall(r"\w+", wanted))
    return bool(named) and (named <= set(words) or (len(words) > 1 and wanted == initials))
