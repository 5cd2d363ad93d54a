"""Computes new footprints of completed products from their stored answers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from weighbridge.carbon.calculate import METHOD_VERSION
from weighbridge.carbon.terms import ON_THE_BOARD
from weighbridge.domain.answers import BillOfMaterials
from weighbridge.domain.history import WITH_OWN_FACTORS
from weighbridge.errors import AnswerError, CalculationError, InputError
from weighbridge.store.products import stored_product
from weighbridge.store.stored_detail import labelled_emissions, read_given
from weighbridge.weighing.directions import FigureState, against_the_change
from weighbridge.weighing.weigh import Weigher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.answers import Answer, StepName
    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.history import Cause
    from weighbridge.domain.results import Provenance
    from weighbridge.steps import Steps
    from weighbridge.store.footprints import StoredFootprint
    from weighbridge.store.products import Row, StoredProduct


class AnsweredProduct(NamedTuple):
    """A product with the model's own answers, uncorrected, and the figure that it has now."""

    stored: StoredProduct
    given: Mapping[StepName, Answer]
    provenance: Provenance
    cost_usd: float
    detail: Mapping[str, Any]
    """The stored figure, as in the column `footprints.detail`."""

    @property
    def id(self) -> int:
        """The product's id in the database."""
        return self.stored.id

    @property
    def code(self) -> str:
        """The code of the product."""
        return self.stored.product.code


class StoredWeigher:
    """Computes footprints of completed products from their stored answers."""

    def __init__(self, factors: FactorTable, steps: Steps) -> None:
        self._weigher = Weigher(factors, steps)
        self.steps = steps
        self.factors = factors

    def read(self, row: Row) -> AnsweredProduct:
        """The product in a row of `store.corrections`, which must have a detail.

        Raises InputError if one of its answers can no longer be read.
        """
        detail = orjson.loads(row["detail"])
        stored, provenance = read_given(detail)
        try:
            given = {step: self.steps.decode(step, answer) for step, answer in stored.items()}
        except AnswerError as error:
            raise InputError(
                f"{row['code']}: its stored answers can no longer be read. Process it again (run with --redo)."
            ) from error
        return AnsweredProduct(stored_product(row), given, provenance, row["cost_usd"], detail)

    def weigh(self, answered: AnsweredProduct, active: Sequence[Correction]) -> StoredFootprint:
        """The footprint with these corrections. Raises InputError if it cannot be computed."""
        stored, given, provenance = answered.stored, answered.given, answered.provenance
        try:
            return self._weigher.weigh(stored, given, provenance.answers, active, answered.cost_usd)
        except CalculationError as error:
            raise InputError(f"{answered.code}: {error}") from error

    def with_what_else_moved(self, answered: AnsweredProduct, made: Cause) -> Cause:
        """`made`, what a person did to the product, with a note whether that alone changed the
        figure. It did if the answers as they were before give the old figure also by today's method
        and factors.
        """
        before = answered.detail["provenance"]
        table = f"{self.factors.name} {self.factors.version}"
        is_same = before["factors"].removesuffix(WITH_OWN_FACTORS) == table
        if (is_same and before["method"] == METHOD_VERSION) or WITH_OWN_FACTORS in before[
            "factors"
        ]:
            return made
        shown = answered.detail["answers"]
        try:
            answers = {step: self.steps.decode(step, answer) for step, answer in shown.items()}
            again = self.weigh(answered._replace(given=answers), ())
        except (AnswerError, InputError):
            return made
        old = answered.detail["footprint"]["emissions_kg_co2e"]
        after = again.detail.footprint.emissions_kg_co2e
        return replace(made, is_alone=math.isclose(after, old, rel_tol=1e-9))

    def remark(self, answered: AnsweredProduct, new: StoredFootprint) -> str:
        """Why the new figure moves the other way than what was changed; "" where it does not."""
        footprint = answered.detail["footprint"]
        if footprint["emissions_kg_co2e"] == new.detail.footprint.emissions_kg_co2e:
            return ""
        is_mixed_anew = _materials(answered.detail["answers"]) != _materials(new.detail.answers)
        before = FigureState.of_records(
            footprint["emissions_kg_co2e"],
            footprint.get("routes", ()),
            "emissions_kg_co2e",
            self._materials_kg_co2e(answered) if is_mixed_anew else None,
        )
        return against_the_change(before, FigureState.of(new.detail.footprint))

    def _materials_kg_co2e(self, answered: AnsweredProduct) -> float | None:
        """What the materials of the present bill come to; None where that cannot be told: factors
        have other names now, or a recycled share has exchanged materials.
        """
        names = set()
        for line in _lines(answered.detail["answers"]):
            factor = self.factors.materials.get(line["material"])
            part = line.get("component")
            names.add(f"{factor.name if factor else ''}{f' ({part})' if part else ''}")
        found: set[str] = set()
        amounts: list[float] = []
        for label, kg_co2e in labelled_emissions(answered.detail):
            if label in names or label.endswith(ON_THE_BOARD):
                found.add(label)
                amounts.append(kg_co2e)
        return math.fsum(amounts) if names and names <= found else None


def _lines(answers: Mapping[StepName, Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The lines of the bill in stored answers."""
    lines: Sequence[Mapping[str, Any]] = answers.get(BillOfMaterials.step, {}).get("lines", ())
    return lines


def _materials(answers: Mapping[StepName, Mapping[str, Any]]) -> list[str]:
    """The material of each line of the bill in stored answers."""
    return [line["material"] for line in _lines(answers)]
