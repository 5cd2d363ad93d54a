"""Where the method is known to fail, said on the figure itself.

Materials plus process energy leave out assembly, chips, chemicals and overheads. For some kinds of product
that is most of the footprint. These notes are the place to go when such products get another route
(figures for a whole class of products, or a ratio of processes to materials): `calculate` asks here what
to say, and would then ask here which way to take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.carbon.mass_flow import Chain
    from weighbridge.domain.answers import Classification

TOO_LOW_NOTE: Final = (
    "likely too low: assembly, chips and overheads are not in the factors of this category"
)
NO_CHIPS_NOTE: Final = "likely too low: circuit boards are counted without their integrated circuits, and the bill names none"

TOO_LOW_CATEGORIES: Final = frozenset(
    {
        "Apparel",
        "Home textiles",
        "Furniture",
        "Consumer electronics",
        "IT & telecom infrastructure",
    }
)
"""Categories whose footprints came out far below published ones in checks."""

TOO_LOW_EXCEPTIONS: Final = frozenset({("Furniture", "Office chairs")})
"""(category, subcategory) pairs that came out well although their category does not."""

_CHIPS: Final = "ic_"
_POPULATED_BOARD: Final = "pcb_populated"


def validity_notes(classification: Classification, chains: Mapping[str, Chain]) -> list[str]:
    """What a reader must know about products of this kind, before believing the figure."""
    notes = []
    named = (classification.category, classification.subcategory)
    if named[0] in TOO_LOW_CATEGORIES and named not in TOO_LOW_EXCEPTIONS:
        total_kg = sum(chain.mass_kg for chain in chains.values())
        # The factor of a complete laptop has its assembly and chips inside.
        complete_kg = sum(c.mass_kg for c in chains.values() if c.material.complete_article)
        if complete_kg < total_kg / 2:
            notes.append(TOO_LOW_NOTE)
    has_boards = any(key.startswith(_POPULATED_BOARD) for key in chains)
    if has_boards and not any(key.startswith(_CHIPS) for key in chains):
        notes.append(NO_CHIPS_NOTE)
    return notes
