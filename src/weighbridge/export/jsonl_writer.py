"""Writes JSON Lines: one object per product with everything behind its figure, at full precision.

The keys are those of the HTTP API. What is not known is null, so every line has the same keys.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel
from typing_extensions import override

from weighbridge.export.cells import finite
from weighbridge.export.files import FileWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from weighbridge.domain.results import Contribution, Provenance, Route
    from weighbridge.export.base import ResultRow
    from weighbridge.steps.shown import ShownField

# Legal inside JSON text, but many readers of lines (Python's str.splitlines among them) split
# there.
_LINE_BREAKS: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}


def as_json_object(row: ResultRow, fields: Sequence[ShownField]) -> dict[str, Any]:
    """The row as values for JSON, under the API's names; `fields` are those of the steps."""
    return {
        "code": row.code,
        "name": row.name,
        "description": row.description,
        "weight": finite(row.weight_kg),
        "imageUrl": row.image_url,
        "picture": row.picture,
        "morePictures": [*row.more_pictures],
        "countryOfOrigin": row.country_of_origin,
        "facts": row.facts.as_stored(),
        "catalogueNotes": [dict(note) for note in row.row_notes],
        "aiProcessingStatus": row.status.value,
        "error": row.error,
        "errorKind": row.error_kind,
        **answered_json([field for field in fields if not field.is_list], row.answered),
        "cpcCode": row.cpc_code,
        "footprint": _footprint(row),
        **answered_json([field for field in fields if field.is_list], row.answered),
        "simulated": row.simulated,
        "recorded": row.recorded,
        "provenance": _provenance(row.provenance),
        "costUsd": finite(row.cost_usd),
        "completedAt": _iso(row.completed_at),
    }


def answered_json(fields: Iterable[ShownField], answered: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the steps' fields for JSON, under the API's names."""
    return {
        field.json_name: _json_value(answered.get(field.name, field.empty), field)
        for field in fields
    }


def _json_value(value: Any, field: ShownField) -> Any:
    """The value of a step's field for JSON: null for infinite numbers, camel-case keys in lists."""
    if field.is_list:
        return [
            {_api_name(name): _null_if_infinite(part) for name, part in one.items()}
            for one in value
        ]
    return _null_if_infinite(value)


def _api_name(name: str) -> str:
    return to_camel(name).replace("Co2E", "Co2e")


def _null_if_infinite(value: Any) -> Any:
    return finite(value) if isinstance(value, float) else value


def _footprint(row: ResultRow) -> dict[str, Any] | None:
    """The figure and what it consists of; null where the product has none."""
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
        "decidedBy": row.dominance or None,
        "routesApart": finite(row.disagreement),
        "primaryData": row.primary_data,
        "estimateKgCo2e": finite(row.estimate_kg_co2e),
        "routes": [_route(one) for one in row.routes],
        "contributions": [
            _contribution(one, share)
            for one, share in zip(row.contributions, row.shares, strict=True)
        ],
        "notes": list(row.notes),
    }


def _route(one: Route) -> dict[str, Any]:
    """A route's result under the API's names."""
    return {
        "name": one.name.value,
        "emissionsKgCo2e": finite(one.emissions_kg_co2e),
        "lowKgCo2e": finite(one.low_kg_co2e),
        "highKgCo2e": finite(one.high_kg_co2e),
        "weight": finite(one.weight),
        "logSigma": finite(one.log_sigma),
        "rangeLogSigma": finite(one.range_log_sigma),
        "basis": one.basis,
    }


def _contribution(one: Contribution, share: float) -> dict[str, Any]:
    """A contribution under the API's names; `share` is its share of the figure."""
    return {
        "route": one.route.value,
        "share": finite(share),
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


def _provenance(provenance: Provenance | None) -> dict[str, Any]:
    """Who answered, by what method and factors; every key is there, null where unknown."""
    answers = provenance.answers if provenance else {}
    return {
        "provider": provenance and provenance.provider,
        "model": provenance and provenance.model,
        "simulated": provenance is not None and provenance.simulated,
        "recorded": provenance is not None and provenance.recorded,
        "method": provenance and provenance.method,
        "factors": provenance and provenance.factors,
        "steps": provenance.steps if provenance else {},
        "answers": {
            step: {
                "provider": answer.provider,
                "model": answer.model,
                "simulated": answer.simulated,
                "recorded": answer.recorded,
                "answeredAt": _iso(answer.answered_at),
                "variantOf": answer.variant_of,
            }
            for step, answer in answers.items()
        },
    }


def _iso(moment: datetime | None) -> str | None:
    """The time in UTC as ISO 8601, ending in Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class JsonlWriter(FileWriter):
    """Writes one product per line, as `as_json_object` gives it."""

    _file: IO[str]

    @override
    def _start(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    @override
    def _append(self, rows: Sequence[ResultRow]) -> None:
        for row in rows:
            line = json.dumps(
                as_json_object(row, self._fields), ensure_ascii=False, allow_nan=False
            )
            self._file.write(line.translate(_LINE_BREAKS) + "\n")

    @override
    def _finish(self) -> None:
        self._file.close()

    @override
    def _abandon(self) -> None:
        self._file.close()
