"""Decides about which of the products taken from the queue the model is asked, and which get the
answers of another variant of their design.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from weighbridge.domain.products import ProcessingStatus
from weighbridge.planning.variants import Candidate, Standing, design_of, plan_variants
from weighbridge.store import variants

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from weighbridge.planning.variants import Design, VariantPlan
    from weighbridge.store.database import Connection
    from weighbridge.store.products import StoredProduct

    AbleToAnswer = Callable[[Connection, Sequence[StoredProduct]], Awaitable[Collection[int]]]

READ_AT_ONCE: Final = 50
"""Number of products whose texts are read before other tasks of the event loop run: about 5 ms."""


class VariantFinder:
    """Decides about variants by `planning.variants`, with what the database knows of each design.

    `able_to_answer` returns the ids of those completed products whose answers other variants may
    get.
    """

    def __init__(self, able_to_answer: AbleToAnswer) -> None:
        self._able_to_answer = able_to_answer

    async def plan(self, connection: Connection, taken: Sequence[StoredProduct]) -> VariantPlan:
        """Decide about these products, and store each one's design and the variant that it gets
        answers from.
        """
        designs = await _designs(taken)
        known = await self._candidates(connection, [design.key for design in designs])
        plan = plan_variants(
            (
                (stored.id, stored.product, design)
                for stored, design in zip(taken, designs, strict=True)
            ),
            known,
        )
        await variants.assign(
            connection,
            {stored.id: design.key for stored, design in zip(taken, designs, strict=True)},
            plan.answered | plan.waiting,
        )
        return plan

    async def _candidates(self, connection: Connection, keys: Sequence[str]) -> list[Candidate]:
        """The products of these designs about which the model was asked, or is being asked."""
        found = await variants.candidates(connection, sorted(set(keys)))
        completed = [stored for stored in found if stored.status is ProcessingStatus.COMPLETED]
        able = await self._able_to_answer(connection, completed) if completed else ()
        return [
            Candidate(stored.id, stored.product, design_of(stored.product), standing)
            for stored in found
            if (standing := _standing(stored, able)) is not None
        ]


def _standing(stored: StoredProduct, able: Collection[int]) -> Standing | None:
    """Whether other variants can use this product's answers, now or later; None: they cannot.

    `able` are the ids of completed products whose answers may be used.
    """
    match stored.status:
        case ProcessingStatus.COMPLETED:
            return Standing.ANSWERED if stored.id in able else None
        case ProcessingStatus.PROCESSING:
            return Standing.ASKED
        case ProcessingStatus.FAILED:
            return Standing.FAILED
        case _:
            return None


async def _designs(taken: Sequence[StoredProduct]) -> list[Design]:
    """The designs of these products, in their order; other tasks run in between."""
    designs = []
    for first in range(0, len(taken), READ_AT_ONCE):
        designs += [design_of(stored.product) for stored in taken[first : first + READ_AT_ONCE]]
        await asyncio.sleep(0)
    return designs
