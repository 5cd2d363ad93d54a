"""The SQL of every change of a product's state, written from the table in `domain/products.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.domain.products import TRANSITIONS, ProcessingStatus

if TYPE_CHECKING:
    from weighbridge.domain.products import ProductEvent


def set_status(event: ProductEvent) -> str:
    """SQL for the state after an event: `status = 'pending'`.

    Raises:
        ValueError: the table has no such event, or more than one state after it.
    """
    (after,) = {end for (_, known), end in TRANSITIONS.items() if known is event}
    return f"status = '{after.value}'"


def may_happen(event: ProductEvent, products: str = "products") -> str:
    """SQL condition: the product is in a state in which the event can happen."""
    before = [state for state, known in TRANSITIONS if known is event]
    if len(before) == len(ProcessingStatus):
        return "true"
    listed = ", ".join(f"'{state.value}'" for state in before)
    return (
        f"{products}.status IN ({listed})" if len(before) > 1 else f"{products}.status = {listed}"
    )
