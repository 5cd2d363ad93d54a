"""Writes footprints in PACT, the format in which companies exchange them, in version 3 of its
Technical Specifications.

https://docs.carbon-transparency.org, data type ProductFootprint. The file is one JSON document:
`data` has the footprints, in the form of the answer of ListFootprints; `withoutFootprint` names the
products that have none, with their status. What PACT has no place for (the range, the notes) is in
`comment`.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote

from typing_extensions import override

from weighbridge.domain.results import outward_note
from weighbridge.errors import UnsupportedFormat
from weighbridge.export.files import FileWriter
from weighbridge.plain_text import significant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from weighbridge.domain.results import DataQuality
    from weighbridge.export.base import ResultRow
    from weighbridge.settings import Settings
    from weighbridge.steps.shown import ShownField

SPEC_VERSION: Final = "3.0.0"
PROCESSES: Final = (
    "materials and manufacturing energy, without packaging, transport, use and disposal"
)
_URN: Final = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:\S+", re.IGNORECASE)  # RFC 8141
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
IDS: Final = uuid.UUID("6f6d0c3e-3f0b-5d6e-9f5a-1f6f2b1c7a44")
GWP_SETS: Final = ("AR5", "AR6")
"""The IPCC reports whose GWPs the factors' publishers use; see ATTRIBUTION.md beside the
factors.
"""
_SCREENING: Final = "Screening estimate from secondary data, not verified."
_PRIMARY: Final = (
    "The supplier's own figure as given, not verified; all of it counts as primary data."
)
_NO_SPLIT: Final = (
    "The split into fossil, land and biogenic emissions is unknown: all of the figure is stated as "
    "fossil, also where part of it is methane of animals or nitrous oxide of fields. "
)
_CAVEATS: Final = (
    f"{_NO_SPLIT}"
    "Data quality ratings are given from "
    "1 to 3 and converted to a scale of 1 to 5. Biogenic CO2 and its uptake count as 0. The fossil carbon "
    "content is not determined; 0 stands where the format asks for a number."
)


@dataclass(frozen=True, slots=True)
class Company:
    """The company that sends the footprints."""

    name: str
    ids: tuple[str, ...]
    domain: str

    @classmethod
    def of(cls, settings: Settings) -> Company:
        """The company in the settings. Raises UnsupportedFormat, naming what is missing or
        wrong.
        """
        given = {
            "WEIGHBRIDGE_COMPANY_NAME": settings.company_name.strip(),
            "WEIGHBRIDGE_COMPANY_DOMAIN": settings.company_domain.strip().lower(),
            "WEIGHBRIDGE_COMPANY_IDS": settings.company_ids.strip(" ,"),
        }
        if missing := [name for name, value in given.items() if not value]:
            raise UnsupportedFormat(
                f"A PACT file must name the company that sends it. Set {', '.join(missing)}. "
                "Examples: Acme Ltd, acme.example, urn:lei:529900T8BM49AURSDO55."
            )
        name, domain, listed = given.values()
        ids = tuple(dict.fromkeys(one.strip() for one in listed.split(",") if one.strip()))
        if wrong := [one for one in ids if not _URN.fullmatch(one)]:
            raise UnsupportedFormat(
                f"WEIGHBRIDGE_COMPANY_IDS: {wrong[0]!r} is not a URN, such as "
                "urn:lei:529900T8BM49AURSDO55."
            )
        if not _DOMAIN.fullmatch(domain):
            raise UnsupportedFormat(
                f"WEIGHBRIDGE_COMPANY_DOMAIN: {domain!r} is not a domain name, such as acme.example."
            )
        return cls(name, ids, domain)


def as_footprint(row: ResultRow, company: Company, completed_at: datetime) -> dict[str, Any]:
    """The ProductFootprint, in version 3, of a completed product."""
    product_id = f"urn:pact:{company.domain}:supplier-id:{quote(row.code, safe='')}"
    pcf = _carbon_footprint(row, completed_at)
    footprint = {
        "id": str(uuid.uuid5(IDS, json.dumps([company.name, product_id, pcf], sort_keys=True))),
        "specVersion": SPEC_VERSION,
        "created": moment_of(row.figure_since or completed_at),
        "status": "Active",
        "companyName": company.name,
        "companyIds": list(company.ids),
        "productDescription": row.description,
        "productIds": [product_id],
        "productNameCompany": row.name,
        "comment": comment_of(row),
        "pcf": pcf,
    }
    if row.cpc_code:
        footprint["productClassifications"] = [
            f"urn:pact:productclassification:un-cpc:{row.cpc_code}"
        ]
    return footprint


def _carbon_footprint(row: ResultRow, moment: datetime) -> dict[str, Any]:
    """The PCF of one piece; `moment` is when the product was processed."""
    figure = decimal_of(row.emissions_kg_co2e or 0.0)
    pcf: dict[str, Any] = {
        "declaredUnitOfMeasurement": "piece",
        "declaredUnitAmount": "1",
        "productMassPerDeclaredUnit": decimal_of(row.mass_kg or 0.0),
        **reference_period(moment),
        "boundaryProcessesDescription": f"{row.boundary}: {PROCESSES}",
        "pcfExcludingBiogenicUptake": figure,
        "pcfIncludingBiogenicUptake": figure,
        "fossilGhgEmissions": figure,
        "fossilCarbonContent": "0",
        "packagingEmissionsIncluded": False,
        "ipccCharacterizationFactors": list(GWP_SETS),
        "crossSectoralStandards": ["PACT-3.0"],
        "exemptedEmissionsPercent": "0",
        "primaryDataShare": "100" if row.primary_data else "0",
    }
    if row.country_of_origin:
        pcf["geographyCountry"] = row.country_of_origin
    if sources := sources_of(row):
        pcf["secondaryEmissionFactorSources"] = sources
    if row.data_quality is not None:
        pcf["dqi"] = _ratings(row.data_quality)
    return pcf


def sources_of(row: ResultRow) -> list[dict[str, str]]:
    """The publishers and years of the factors that the figure is computed with."""
    if row.primary_data:
        return []
    named = dict.fromkeys((one.source, one.year) for one in row.contributions)
    return [{"name": source, "version": year} for source, year in named if source and year]


def _ratings(quality: DataQuality) -> dict[str, str]:
    """The data quality ratings under PACT's names."""
    return {
        "technologicalDQR": _rating(quality.technological),
        "geographicalDQR": _rating(quality.geographical),
        "temporalDQR": _rating(quality.temporal),
    }


def _rating(of_three: float) -> str:
    """A rating from 1 to 3 on PACT's scale from 1 to 5."""
    return decimal_of(round(min(max(2 * of_three - 1, 1.0), 5.0), 2))


def comment_of(row: ResultRow) -> str:
    """The text of the field `comment`: what PACT has no place for, such as the range and notes."""
    marks = [
        word for word, is_so in (("SIMULATED", row.simulated), ("RECORDED", row.recorded)) if is_so
    ]
    made_up = []
    if marks and row.primary_data:
        made_up = [
            f"{' AND '.join(marks)} ANSWERS about the product; the supplier's figure is not affected."
        ]
    elif marks:
        made_up = [f"{' AND '.join(marks)} ANSWERS: do not rely on this figure."]
    method = row.provenance and f"Method {row.provenance.method}, factors {row.provenance.factors}."
    low, high = (significant(end or 0.0, 3) for end in (row.low_kg_co2e, row.high_kg_co2e))
    interval = f"95 % range: {low} to {high} kg CO2e."
    primary = _PRIMARY if row.primary_data else ""
    notes = (f"{outward_note(note).rstrip('.')}." for note in row.notes)
    return " ".join(
        [*made_up, primary or _SCREENING, _CAVEATS, interval, method or "", *notes]
    ).strip()


def decimal_of(number: float) -> str:
    """A number with all its digits and without an exponent."""
    return format(Decimal(repr(number)), "f")


def reference_period(moment: datetime) -> dict[str, str]:
    """The twelve whole months before the month of `moment`, in UTC.

    A footprint without a stated validity is valid from the end of this period on (PACT's OpenAPI
    document, `validityPeriodStart`), so the period must not end after the footprint is handed over.
    """
    end = datetime(*moment.astimezone(UTC).timetuple()[:2], 1, tzinfo=UTC)
    start = end.replace(year=end.year - 1)
    return {"referencePeriodStart": moment_of(start), "referencePeriodEnd": moment_of(end)}


def moment_of(moment: datetime) -> str:
    """A time in UTC as ISO 8601."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class PactWriter(FileWriter):
    """Writes one document; products without a figure are named at its end.

    `as_document` makes the ProductFootprint of a product, in version 3 or 2.
    """

    _file: IO[str]

    def __init__(
        self,
        path: Path,
        fields: Sequence[ShownField],
        company: Company,
        as_document: Callable[[ResultRow, Company, datetime], dict[str, Any]] = as_footprint,
    ) -> None:
        self._company = company
        self._as_document = as_document
        self._left_out: list[dict[str, Any]] = []
        self._separator = "\n"
        super().__init__(path, fields)

    @override
    def _start(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write('{"data": [')

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        for row in rows:
            if row.emissions_kg_co2e is None or row.completed_at is None:
                # Why it failed is for the owner, not the receiver: it may name servers of either.
                reason = f"There is no footprint: the product's status is {row.status.value}."
                self._left_out.append({"code": row.code, "reason": reason})
                continue
            footprint = self._as_document(row, self._company, row.completed_at)
            self._file.write(self._separator + json.dumps(footprint, ensure_ascii=False))
            self._separator = ",\n"

    @override
    def _finish(self) -> None:
        without = json.dumps(self._left_out, ensure_ascii=False)
        self._file.write(f'\n], "withoutFootprint": {without}}}\n')
        self._file.close()

    @override
    def _abandon(self) -> None:
        self._file.close()
