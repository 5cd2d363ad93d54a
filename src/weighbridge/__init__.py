"""Weighbridge: an AI processing queue that puts a traceable kg CO2e on every product.

In Python and notebooks: `run` computes the footprints of a catalogue, `results` reads the stored
ones, `explain` shows what a figure is composed of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weighbridge.notebook import WeighedProducts, explain, results, run

__version__ = "0.1.0"
__all__ = ["WeighedProducts", "__version__", "explain", "results", "run"]


def __getattr__(name: str) -> Any:
    """Import the functions for notebooks when one is first used, so that commands start faster."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from weighbridge import notebook

    return getattr(notebook, name)


def __dir__() -> list[str]:
    return sorted(__all__)
