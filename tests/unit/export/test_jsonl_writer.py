"""The JSON lines: the API's names, full precision, one object a line whatever the text."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from tests.unit.export.result_rows import FIELDS, completed, failed
from weighbridge.export.jsonl_writer import JsonlWriter

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.export.base import ResultRow


def written(path: Path, rows: list[ResultRow]) -> list[dict[str, Any]]:
    """Write these rows and read every line as JSON, NaN refused."""
    with JsonlWriter(path, FIELDS) as writer:
        writer.write(rows)
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=lambda word: word) for line in lines]


def test_a_completed_product_includes_everything_behind_its_figure(tmp_path: Path) -> None:
    (chair,) = written(tmp_path / "results.jsonl", [completed()])
    footprint = chair.pop("footprint")
    contributions = footprint.pop("contributions")
    assert chair == {
        "code": "CHAIR-1",
        "name": "Chair",
        "description": "A stacking chair,\nsteel and plastic",
        "weight": 4.25,
        "imageUrl": "https://shop.example/chair.jpg",
        "picture": None,
        "morePictures": [],
        "countryOfOrigin": "PL",
        "facts": {},
        "catalogueNotes": [],
        "aiProcessingStatus": "completed",
        "error": None,
        "errorKind": None,
        "category": "Furniture",
        "subcategory": "Chairs",
        "cpcCode": "38111",
        "billOfMaterials": [
            {"material": "stainless_steel", "massKg": 3.0, "component": "frame"},
            {"material": "polypropylene", "massKg": 1.25, "component": "seat"},
        ],
        "attributes": [{"name": "pieces_per_pack", "value": 4.0, "basis": "stated"}],
        "weightBasis": "unit",
        "processes": [{"process": "welding", "material": "stainless_steel", "line": 1}],
        "simulated": True,
        "recorded": False,
        "provenance": {
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "simulated": True,
            "recorded": False,
            "method": "1",
            "factors": "weighbridge-factors 2026.11",
            "steps": {"classification": "1"},
            "answers": {
                "classification": {
                    "provider": "openai",
                    "model": "gpt-4.1-mini",
                    "simulated": True,
                    "recorded": False,
                    "answeredAt": "2026-11-23T20:15:00Z",
                    "variantOf": None,
                }
            },
        },
        "costUsd": 0.00021349,
        "completedAt": "2026-11-23T20:15:30Z",
    }
    assert footprint == {
        "emissionsKgCo2e": 12.345678,
        "lowKgCo2e": 8.0,
        "highKgCo2e": 17.00049,
        "boundary": "cradle-to-gate",
        "massKg": 4.25,
        "massOrigin": "given",
        "dataQuality": {
            "overall": 1.5,
            "technological": 1.0,
            "geographical": 2.0,
            "temporal": 1.5,
        },
        "decidedBy": "both agree",
        "routesApart": 1.215,
        "primaryData": None,
        "estimateKgCo2e": None,
        "routes": [
            {
                "name": "bill of materials",
                "emissionsKgCo2e": 12.345678,
                "lowKgCo2e": 5.0,
                "highKgCo2e": 30.0,
                "weight": 1.0,
                "logSigma": 0.5,
                "rangeLogSigma": 0.4,
                "basis": "3 lines",
            },
            {
                "name": "class figure",
                "emissionsKgCo2e": 15.0,
                "lowKgCo2e": 6.0,
                "highKgCo2e": 37.5,
                "weight": 0.0,
                "logSigma": 0.5,
                "rangeLogSigma": 0.5,
                "basis": "2 published products",
            },
        ],
        "notes": ["one proxy factor"],
    }
    assert len(contributions) == 5
    assert contributions[2]["kind"] == "process electricity"
    assert contributions[0] == {
        "route": "bill of materials",
        "share": 0.62,
        "kind": "material",
        "label": "Stainless steel",
        "factorKey": "stainless_steel",
        "activity": 2.0,
        "activityUnit": "kg",
        "factor": 3.825,
        "emissionsKgCo2e": 7.65,
        "lowKgCo2e": 7.65 * 0.7,
        "highKgCo2e": 7.65 * 1.3,
        "source": "DEFRA 2024",
        "sourceId": "plastics-pp",
        "year": "2024",
        "region": "GB",
        "licence": "OGL v3",
        "isProxy": False,
    }


def test_every_line_has_the_same_keys(tmp_path: Path) -> None:
    chair, lamp = written(tmp_path / "results.jsonl", [completed(), failed()])
    assert list(chair) == list(lamp)
    assert lamp["footprint"] is None
    assert lamp["errorKind"] == "ImplausibleAnswer"


def test_unicode_line_separators_stay_inside_their_line(tmp_path: Path) -> None:
    name = "a\x85b\u2028c\u2029d\x0be\x1cf\ng"
    (chair,) = written(tmp_path / "results.jsonl", [completed("A", name)])
    assert chair["name"] == name


def test_nan_and_infinity_become_null(tmp_path: Path) -> None:
    row = dataclasses.replace(completed(), emissions_kg_co2e=float("nan"), cost_usd=float("inf"))
    (chair,) = written(tmp_path / "results.jsonl", [row])
    assert (chair["footprint"]["emissionsKgCo2e"], chair["costUsd"]) == (None, None)
