"""A source of factors: flint, knapping, and no electricity."""

from __future__ import annotations

from weighbridge.carbon.factors import (
    Citation,
    ElectricityFactor,
    FactorTable,
    HeatFactor,
    MaterialFactor,
    ProcessFactor,
    RangedValue,
)

CAVE = Citation("Wall of a cave", "bison 7", "2020", "GLO", "CC0-1.0")


class StoneAgeFactors:
    """Two factors and a fire."""

    def load(self) -> FactorTable:
        """All that was known."""
        fire = RangedValue(0.4, 0.3, 0.5)
        return FactorTable.of(
            name="stone-age",
            materials=[MaterialFactor("flint", "Flint", "stone", RangedValue(3.0, 2.0, 4.0), CAVE)],
            processes=[
                ProcessFactor(
                    "knapping",
                    "Knapping",
                    frozenset({"stone"}),
                    0.0,
                    0.0,
                    0.1,
                    1.0,
                    CAVE,
                    range_low=0.7,
                    range_high=1.3,
                )
            ],
            electricity=[ElectricityFactor("GLO", "World", "World", fire, CAVE)],
            heat=HeatFactor("fire", "Fire", fire, CAVE),
        )
