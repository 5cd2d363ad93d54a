"""Calculates footprints of the products of a catalogue from their answers, and compares them with
published ones.

If the factors contain footprints that a product's own maker published, these are left out when that
product is calculated: they would give the result away.
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
    """The products whose footprints were compared; for others with a published one, why not."""

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
    """Compare every product that has both answers and a published footprint (`truths`, by code).

    `keep_own_maker` True: published footprints of the product's own maker are not left out.
    """
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
                _compare(replace(product, country_of_origin=country), truth, answers, table)
            )
        except (KeyError, CalculationError) as error:
            left_out[product.code] = "no answer" if isinstance(error, KeyError) else str(error)
    return Evaluation(tuple(judged), left_out)


def _compare(
    product: Product,
    truth: Truth,
    answers: Mapping[str, Mapping[StepName, Answer]],
    factors: FactorTable,
) -> ComparedFigure:
    """The computed figure (kg CO2e, with its 95 % range) beside the published one."""
    classification, bill, processes = _three_answers(answers[product.code].values())
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


def _three_answers(
    answers: Iterable[Answer],
) -> tuple[Classification, BillOfMaterials, ManufacturingProcesses]:
    """The three answers of a product; raises KeyError if one is missing."""
    by_step = {answer.step: answer for answer in answers}
    classification = by_step[Classification.step]
    bill = by_step[BillOfMaterials.step]
    processes = by_step[ManufacturingProcesses.step]
    assert isinstance(classification, Classification)  # noqa: S101 - by the name of their step
    assert isinstance(bill, BillOfMaterials)  # noqa: S101
    assert isinstance(processes, ManufacturingProcesses)  # noqa: S101
    return classification, bill, processes


def is_maker(reference: str, company: str) -> bool:
    """Whether the maker of a reference is this company.

    It is if the company's name has all its words, or begins with its initials.
    """
    words = re.findall(r"\w+", company.casefold())
    initials = "".join(word[0] for word in words[:2])
    wanted = reference.casefold()
    named = set(re.findall(r"\w+", wanted))
    return bool(named) and (named <= set(words) or (len(words) > 1 and wanted == initials))
