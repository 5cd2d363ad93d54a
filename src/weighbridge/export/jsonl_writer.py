"""JSON Lines: one object per product with everything behind its figure, at full precision.

The keys are those of the HTTP API. What is not known is null, so every line has the same keys.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

from typing_extensions import override

from weighbridge.export.cells import finite
from weighbridge.export.files import FileWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from weighbridge.domain.results import Contribution
    from weighbridge.export.base import ResultRow

# Legal inside JSON text, but many readers of lines (Python's str.splitlines among them) split there.
_LINE_BREAKS: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}


def as_json_object(row: ResultRow) -> dict[str, Any]:
    """The row as plain values under the API's names."""
    return {
        "code": row.code,
        "name": row.name,
        "description": row.description,
        "weight": finite(row.weight_kg),
        "imageUrl": row.image_url,
        "picture": row.picture,
        "countryOfOrigin": row.country_of_origin,
        "aiProcessingStatus": row.status.value,
        "error": row.error,
        "errorKind": row.error_kind,
        "category": row.category,
        "subcategory": row.subcategory,
        "cpcCode": row.cpc_code,
        "footprint": _footprint(row),
        "billOfMaterials": [
            {
                "material": line.material,
                "massKg": finite(line.mass_kg),
                "component": line.component,
            }
            for line in row.bill
        ],
        "processes": [{"process": use.process, "material": use.material} for use in row.processes],
        "simulated": row.simulated,
        "provenance": _provenance(row),
        "costUsd": finite(row.cost_usd),
        "completedAt": _iso(row.completed_at),
    }


def _footprint(row: ResultRow) -> dict[str, Any] | None:
    if row.emissions_kg_co2e is None:
        return None
    quality = row.data_quality
    return {
        "emissionsKgCo2e": finite(row.emissions_kg_co2e),
        "lowKgCo2e": finite(row.low_kg_co2e),
        "highKgCo2e": finite(row.high_kg_co2e),
        "boundary": row.boundary,
        "massKg": finite(row.mass_kg),
        "massOrigin": row.mass_origin.value if row.mass_origin else None,
        "dataQuality": quality
        and {
            "overall": finite(quality.overall),
            "technological": finite(quality.technological),
            "geographical": finite(quality.geographical),
            "temporal": finite(quality.temporal),
        },
        "contributions": [_contribution(one) for one in row.contributions],
        "notes": list(row.notes),
    }


def _contribution(one: Contribution) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "label": one.label,
        "factorKey": one.factor_key,
        "activity": finite(one.activity),
        "activityUnit": one.activity_unit,
        "factor": finite(one.factor),
        "emissionsKgCo2e": finite(one.emissions_kg_co2e),
        "lowKgCo2e": finite(one.low_kg_co2e),
        "highKgCo2e": finite(one.high_kg_co2e),
        "source": one.source,
        "sourceId": one.source_id,
        "year": one.year,
        "region": one.region,
        "licence": one.licence,
        "isProxy": one.is_proxy,
    }


def _provenance(row: ResultRow) -> dict[str, Any]:
    versions = row.versions
    steps: Mapping[str, str] = versions.steps if versions else {}
    return {
        "provider": row.provider,
        "model": row.model,
        "simulated": row.simulated,
        "method": versions.method if versions else None,
        "factors": versions.factors if versions else None,
        "steps": dict(steps),
    }


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class JsonlWriter(FileWriter):
    """Writes `as_json_object` of every row on a line of its own."""

    _file: IO[str]

    @override
    def _start(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        for row in rows:
            line = json.dumps(as_json_object(row), ensure_ascii=False, allow_nan=False)
            self._file.write(line.translate(_LINE_BREAKS) + "\n")

    @override
    def _finish(self) -> None:
        self._file.close()

    @override
    def _abandon(self) -> None:
        self._file.close()
