"""Rows for the tests of the writers: a completed chair, a failed lamp, and as many products as
wanted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.domain.products import ProcessingStatus
from weighbridge.domain.quantities import Origin
from weighbridge.domain.results import (
    AnswerProvenance,
    Contribution,
    ContributionKind,
    DataQuality,
    Provenance,
    Route,
    RouteName,
)
from weighbridge.export.base import ResultRow
from weighbridge.export.columns import columns_of
from weighbridge.steps import STEPS
from weighbridge.steps.registered import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator


FIELDS = fields_of(STEPS)
COLUMNS = columns_of(FIELDS)
ANSWERED_AT = datetime(2026, 11, 23, 20, 15, tzinfo=UTC)


def contribution(
    label: str, emissions_kg_co2e: float, kind: ContributionKind = ContributionKind.MATERIAL
) -> Contribution:
    """One term of a footprint whose activity is 2 kg, so that the factor is half the emissions."""
    return Contribution(
        kind=kind,
        label=label,
        factor_key=label.lower().replace(" ", "_"),
        activity=2.0,
        activity_unit="kg",
        factor=emissions_kg_co2e / 2,
        emissions_kg_co2e=emissions_kg_co2e,
        low_kg_co2e=emissions_kg_co2e * 0.7,
        high_kg_co2e=emissions_kg_co2e * 1.3,
        source="DEFRA 2024",
        source_id="plastics-pp",
        year="2024",
        region="GB",
        licence="OGL v3",
        is_proxy=False,
    )


def completed(code: str = "CHAIR-1", name: str = "Chair", *, simulated: bool = True) -> ResultRow:
    """A chair with every field filled but the error."""
    return ResultRow(
        code=code,
        name=name,
        description="A stacking chair,\nsteel and plastic",
        status=ProcessingStatus.COMPLETED,
        weight_kg=4.25,
        image_url="https://shop.example/chair.jpg",
        country_of_origin="PL",
        answered={
            "category": "Furniture",
            "subcategory": "Chairs",
            "bill": [
                {"material": "stainless_steel", "mass_kg": 3.0, "component": "frame"},
                {"material": "polypropylene", "mass_kg": 1.25, "component": "seat"},
            ],
            "attributes": [{"name": "pieces_per_pack", "value": 4.0, "basis": "stated"}],
            "weight_basis": "unit",
            "processes": [{"process": "welding", "material": "stainless_steel", "line": 1}],
        },
        cpc_code="38111",
        emissions_kg_co2e=12.345678,
        low_kg_co2e=8.0,
        high_kg_co2e=17.00049,
        mass_kg=4.25,
        mass_origin=Origin.GIVEN,
        data_quality=DataQuality(technological=1.0, geographical=2.0, temporal=1.5),
        contributions=(
            contribution("Stainless steel", 7.65),
            contribution("Polypropylene", 2.47),
            contribution("Welding, electricity", 0.9, ContributionKind.PROCESS_ELECTRICITY),
            contribution("Moulding, electricity", 0.9, ContributionKind.PROCESS_ELECTRICITY),
            contribution("Paint", 0.42),
        ),
        shares=(0.62, 0.2, 0.075, 0.075, 0.03),
        counted_kg_co2e=(7.65, 2.47, 0.9, 0.9, 0.425678),
        routes=(
            Route(RouteName.BILL, 12.345678, 5.0, 30.0, 0.5, 0.4, 1.0, "3 lines"),
            Route(RouteName.CLASS, 15.0, 6.0, 37.5, 0.5, 0.5, 0.0, "2 published products"),
        ),
        dominance="both agree",
        disagreement=1.215,
        notes=("one proxy factor",),
        provenance=Provenance(
            "1",
            "weighbridge-factors 2026.11",
            {
                "classification": AnswerProvenance(
                    "1", "openai", "gpt-4.1-mini", simulated, ANSWERED_AT
                )
            },
        ),
        cost_usd=0.00021349,
        completed_at=datetime(2026, 11, 23, 20, 15, 30, tzinfo=UTC),
    )


def failed(code: str = "LAMP-1") -> ResultRow:
    """A lamp that no step could answer."""
    return ResultRow(
        code=code,
        name="Lamp",
        description="",
        status=ProcessingStatus.FAILED,
        error="The weight of 1,000 kg cannot be that of one lamp. Correct it and reset.",
        error_kind="ImplausibleAnswer",
    )


def batches(products: int, batch_size: int) -> Iterator[list[ResultRow]]:
    """Completed products in batches, made one batch at a time."""
    for start in range(0, products, batch_size):
        codes = range(start, min(start + batch_size, products))
        yield [completed(f"P-{number:07}") for number in codes]
