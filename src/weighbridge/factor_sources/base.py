"""The seam between datasets and the calculation: whatever gives factors is a FactorSource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weighbridge.carbon.factors import FactorTable


class FactorSource(Protocol):
    """Somewhere that emission factors come from."""

    def load(self) -> FactorTable:
        """Read, check and version the factors.

        Raises FactorTableInvalid, naming file, row and column, when a value is missing or
        impossible, and UnreadableFile or MissingColumn when the file is not such a table at all.
        """
        ...
