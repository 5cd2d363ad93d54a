"""Writes footprints in PACT version 2, for receivers that do not read version 3 yet.

https://docs.carbon-transparency.org, data type ProductFootprint of version 2.3. It knows no pieces:
the declared unit is the kilogram, figures are for one kilogram, and `unitaryProductAmount` is the
mass of one piece. Its data quality indicators require ratings of completeness and reliability,
which do not exist here: so the indicators are left out, and the three existing ratings are in
`comment`.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from weighbridge.export.pact_writer import (
    GWP_SETS,
    IDS,
    PROCESSES,
    Company,
    comment_of,
    decimal_of,
    moment_of,
    reference_period,
    sources_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.export.base import ResultRow

SPEC_VERSION_2: Final = "2.3.0"
_NOT_CLASSIFIED: Final = "not classified"
_CAVEAT: Final = (
    "The declared unit is a kilogram, because PACT 2 has no unit for pieces: unitaryProductAmount is "
    "the mass of one piece. The biogenic carbon content is not determined either."
)


def as_footprint_2(row: ResultRow, company: Company, completed_at: datetime) -> dict[str, Any]:
    """The ProductFootprint, in version 2, of a completed product."""
    product_id = f"urn:pathfinder:product:customcode:vendor-assigned:{quote(row.code, safe='')}"
    pcf = _carbon_footprint(row, completed_at)
    identity = json.dumps(["2", company.name, company.domain, product_id, pcf], sort_keys=True)
    return {
        "id": str(uuid.uuid5(IDS, identity)),
        "specVersion": SPEC_VERSION_2,
        "version": 0,
        "created": moment_of(row.figure_since or completed_at),
        "status": "Active",
        "companyName": company.name,
        "companyIds": list(company.ids),
        "productDescription": row.description,
        "productIds": [product_id],
        "productCategoryCpc": row.cpc_code or _NOT_CLASSIFIED,
        "productNameCompany": row.name,
        "comment": " ".join([comment_of(row), _ratings_sentence(row), _CAVEAT]).strip(),
        "pcf": pcf,
    }


def _carbon_footprint(row: ResultRow, moment: datetime) -> dict[str, Any]:
    """The PCF of one kilogram; a piece of unknown mass counts as 1 kg.

    `moment` is when the product was processed.
    """
    mass_kg = row.mass_kg or 1.0
    figure = decimal_of((row.emissions_kg_co2e or 0.0) / mass_kg)
    pcf: dict[str, Any] = {
        "declaredUnit": "kilogram",
        "unitaryProductAmount": decimal_of(mass_kg),
        "productMassPerDeclaredUnit": "1",
        **reference_period(moment),
        "boundaryProcessesDescription": f"{row.boundary}: {PROCESSES}",
        "pCfExcludingBiogenic": figure,
        "pCfIncludingBiogenic": figure,
        "fossilGhgEmissions": figure,
        "fossilCarbonContent": "0",
        "biogenicCarbonContent": "0",
        "packagingEmissionsIncluded": False,
        "characterizationFactors": GWP_SETS[0],
        "ipccCharacterizationFactorsSources": list(GWP_SETS),
        "crossSectoralStandardsUsed": ["GHG Protocol Product standard"],
        "crossSectoralStandards": ["PACT-2.0"],
        "exemptedEmissionsPercent": 0,
        "exemptedEmissionsDescription": "",
        "primaryDataShare": 100 if row.primary_data else 0,
    }
    if row.country_of_origin:
        pcf["geographyCountry"] = row.country_of_origin
    if sources := sources_of(row):
        pcf["secondaryEmissionFactorSources"] = sources
    return pcf


def _ratings_sentence(row: ResultRow) -> str:
    """A sentence with the product's data quality ratings; "" without any."""
    quality = row.data_quality
    if quality is None:
        return ""
    return (
        f"Data quality, 1 (best) to 3: technological {quality.technological:.2g}, geographical "
        f"{quality.geographical:.2g}, temporal {quality.temporal:.2g}."
    )
