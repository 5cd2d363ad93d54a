"""Completed products as they are stored, and the way to new figures for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weighbridge.errors import AnswerError, CalculationError, InputError
from weighbridge.store.products import stored_product
from weighbridge.store.stored_detail import read_given
from weighbridge.weighing.weigh import Weigher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from weighbridge.carbon.factors import FactorTable
    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.products import Product
    from weighbridge.domain.results import Provenance
    from weighbridge.steps import Steps
    from weighbridge.store.footprints import StoredFootprint


class StoredWeigher:
    """Weighs rows of `corrections.lock_completed` by the answers that they already have."""

    def __init__(self, factors: FactorTable, steps: Steps) -> None:
        self._weigher = Weigher(factors, steps)
        self.steps = steps
        self.factors = factors

    def given(self, row: Record) -> dict[str, Any]:
        """The model's own answers.

        Raises InputError when one of them cannot be read any more.
        """
        return self._read(row)[0]

    def weigh(
        self, row: Record, active: Sequence[Correction], product: Product | None = None
    ) -> StoredFootprint:
        """The figure with these corrections, of `product` in the place of the stored one.

        Raises InputError when there is none.
        """
        given, provenance = self._read(row)
        stored = stored_product(row)
        if product is not None:
            stored = replace(stored, product=product)
        try:
            return self._weigher.weigh(stored, given, provenance.answers, active, row["cost_usd"])
        except CalculationError as error:
            raise InputError(f"{row['code']}: {error}") from error

    def _read(self, row: Record) -> tuple[dict[str, Any], Provenance]:
        stored, provenance = read_given(row["detail"])
        try:
            given = {step: self.steps.decode(step, answer) for step, answer in stored.items()}
        except AnswerError as error:
            raise InputError(
                f"{row['code']}: its stored answers can no longer be read. Process it again (run with --redo)."
            ) from error
        return given, provenance
