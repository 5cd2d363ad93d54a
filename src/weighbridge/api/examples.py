"""What answers and requests look like, for the OpenAPI document: one product, PROD-001, through every route.

`app.py` puts them into the document; a test reads each with the model of its route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPE_PREFIX: Final = "urn:weighbridge:problem:"
_AT: Final = "2026-11-24T09:30:00Z"
_IMPORT_ID: Final = "018f4d3e-7a8b-4c2d-9e1f-0a1b2c3d4e5f"

_CONFIG: Final[Mapping[str, Any]] = {
    "batchSize": 500,
    "batchDelayMs": 60_000,
    "maxConcurrentRequests": 10,
    "pacing": "batch",
    "askTogether": False,
    "requestsPerMinute": 500,
    "tokensPerMinute": 450_000,
}
_QUEUE: Final[Mapping[str, Any]] = {
    "queueLength": 1_200,
    "processing": True,
    "processedCount": 3_400,
    "failedCount": 2,
    "batchSize": 500,
    "batchDelayMs": 60_000,
    "maxConcurrentRequests": 10,
    "pacing": "batch",
    "askTogether": False,
    "running": True,
    "pausedReason": None,
    "currentBatch": 7,
    "nextBatchAt": None,
    "limits": {
        "requestsPerMinute": {"used": 312, "allowed": 500},
        "tokensPerMinute": {"used": 280_914, "allowed": 450_000},
    },
}
_COUNTS: Final = {"pending": 1_200, "processing": 50, "completed": 3_400, "failed": 2}
_CALLS: Final[Mapping[str, Any]] = {
    "calls": 2_052,
    "failedCalls": 3,
    "retries": 3,
    "rateLimited": 1,
    "simulatedCalls": 0,
    "tokens": {
        "estimated": 6_310_400,
        "input": 4_890_000,
        "cachedInput": 3_120_000,
        "output": 812_000,
        "total": 5_702_000,
    },
    "costUsd": 2.31,
    "latencyMeanS": 4.1,
    "latencyP50S": 3.7,
    "latencyP95S": 8.9,
    "waitedMeanS": 0.4,
}
_PERIOD: Final[Mapping[str, Any]] = {
    **_CALLS,
    "completed": 3_400,
    "failed": 2,
    "productsPerHour": 1_700.0,
    "failureRate": 0.0006,
    "secondsPerBatch": 4.1,
    "byStep": [{"name": "classification", **_CALLS}],
    "byModel": [{"name": "gpt-4.1-mini", **_CALLS}],
    "recentErrors": [
        {
            "source": "call",
            "reason": "RateLimited",
            "count": 1,
            "lastAt": _AT,
            "example": "Rate limit reached for requests; try again in 120 ms.",
        }
    ],
}
_PRODUCT: Final[Mapping[str, Any]] = {
    "code": "PROD-001",
    "name": "Steel bottle",
    "description": "Stainless steel, 500 ml, double wall",
    "weight": 0.35,
    "imageUrl": None,
    "hasPicture": False,
    "countryOfOrigin": "DE",
    "aiProcessingStatus": "completed",
    "category": "kitchen-and-dining",
    "subcategory": "bottles",
    "emissionsKgCo2e": 2.41,
    "lowKgCo2e": 1.63,
    "highKgCo2e": 3.58,
    "dataQuality": 2.1,
    "simulated": False,
    "attempts": 0,
    "errorKind": None,
    "error": None,
    "createdAt": _AT,
    "updatedAt": _AT,
    "completedAt": _AT,
}
_DETAIL: Final[Mapping[str, Any]] = {
    **_PRODUCT,
    "footprint": {
        "emissionsKgCo2e": 2.41,
        "lowKgCo2e": 1.63,
        "highKgCo2e": 3.58,
        "boundary": "cradle-to-gate",
        "mass": {
            "value": 0.35,
            "unit": "kg",
            "origin": "given",
            "low": 0.35,
            "high": 0.35,
            "source": "catalogue",
        },
        "dataQuality": {"technological": 2.0, "geographical": 2.0, "temporal": 2.3},
        "contributions": [
            {
                "kind": "material",
                "label": "Stainless steel",
                "factorKey": "stainless-steel",
                "activity": 0.35,
                "activityUnit": "kg",
                "factor": 6.15,
                "emissionsKgCo2e": 2.15,
                "lowKgCo2e": 1.4,
                "highKgCo2e": 3.3,
                "source": "A published table of factors",
                "sourceId": "steel-304",
                "year": "2021",
                "region": "EU",
                "licence": "CC BY 4.0",
                "isProxy": False,
            }
        ],
        "notes": [],
        "costUsd": 0.0011,
        "calculatedAt": _AT,
        "provenance": {
            "method": "2",
            "factors": "1",
            "steps": {"classification": "1", "bill_of_materials": "1", "manufacturing": "1"},
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "simulated": False,
        },
    },
    "answers": [
        {
            "step": "classification",
            "stepVersion": "1",
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "simulated": False,
            "answer": {"category": "kitchen-and-dining", "subcategory": "bottles"},
            "costUsd": 0.0003,
            "callId": 17,
            "answeredAt": _AT,
        }
    ],
    "calls": [
        {
            "id": 17,
            "startedAt": _AT,
            "latencyS": 3.7,
            "waitedS": 0.0,
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "simulated": False,
            "step": "classification",
            "stepVersion": "1",
            "lane": "live",
            "outcome": "ok",
            "error": None,
            "requestId": "req_5f0c1a2b",
            "groupSize": 5,
            "inputTokens": 2_380,
            "cachedInputTokens": 1_520,
            "outputTokens": 395,
            "costUsd": 0.0013,
        }
    ],
    "errors": [],
}
_IMPORTED: Final[Mapping[str, Any]] = {
    "importId": _IMPORT_ID,
    "created": 998,
    "updated": 1,
    "unchanged": 0,
    "rejectedCount": 1,
    "rejected": [
        {
            "row": 17,
            "field": "weight",
            "reason": '"heavy" is not a weight; give kilograms, such as 1.25',
            "code": "PROD-016",
        }
    ],
    "rejectedUrl": f"/api/products/imports/{_IMPORT_ID}/rejected",
}
_ONE_CREATED: Final[Mapping[str, Any]] = {
    **_IMPORTED,
    "created": 1,
    "updated": 0,
    "rejectedCount": 0,
    "rejected": [],
    "rejectedUrl": None,
}

ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "queue_status": {
        "200": {"queue": _QUEUE, "database": _COUNTS, "totalProducts": 4_652},
    },
    "start_queue": {
        "200": {
            "addedToQueue": 1_200,
            "message": "The queue runs; 1,200 products wait.",
            "queue": _QUEUE,
        },
    },
    "stop_queue": {
        "200": {
            "callsInFlight": 3,
            "returnedToPending": 35,
            "message": "The queue is stopped. 3 calls in flight still finish and are stored.",
            "queue": {**_QUEUE, "running": False, "queueLength": 1_235},
        },
    },
    "reset_failed": {"200": {"modifiedCount": 2, "message": "2 failed products wait again."}},
    "queue_config": {"200": {"previous": _CONFIG, "current": {**_CONFIG, "batchSize": 200}}},
    "processing_stats": {
        "200": {"asOf": _AT, "counts": _COUNTS, "last24Hours": _PERIOD, "overall": _PERIOD},
    },
    "bulk_upload": {
        "200": {**_IMPORTED, "created": 0, "unchanged": 998},
        "201": _IMPORTED,
    },
    "rejected_rows": {
        "200": "row,field,reason,code\n"
        '17,weight,"""heavy"" is not a weight; give kilograms, such as 1.25",PROD-016\n',
    },
    "list_products": {"200": {"products": [_PRODUCT], "nextCursor": "YWZ0ZXI6NTA"}},
    "add_product": {
        "200": {**_ONE_CREATED, "created": 0, "updated": 1},
        "201": _ONE_CREATED,
    },
    "attach_picture": {
        "200": {
            "code": "PROD-001",
            "mediaType": "image/png",
            "widthPx": 640,
            "heightPx": 480,
            "sizeBytes": 81_920,
        },
    },
    "show_product": {"200": _DETAIL},
    "healthz": {"200": {"status": "ok", "version": "0.1.0"}},
    "readyz": {"200": {"status": "ready"}, "503": {"status": "leaving"}},
    "metrics": {
        "200": "# HELP weighbridge_products Products by state.\n"
        "# TYPE weighbridge_products gauge\n"
        'weighbridge_products{state="pending"} 1200.0\n',
    },
}
"""By operation and status. Streams and files have theirs at their routes, or none."""

REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "bulk_upload": {
        "application/json": [
            {
                "code": "PROD-001",
                "name": "Steel bottle",
                "description": "Stainless steel, 500 ml, double wall",
                "weight": 0.35,
                "countryOfOrigin": "DE",
            }
        ],
        "text/csv": "code,name,description,weight,countryOfOrigin\n"
        'PROD-001,Steel bottle,"Stainless steel, 500 ml, double wall",0.35,DE\n',
    },
}
"""By operation and content type; those of other requests stand in their schemas."""


_PRODUCTS: Final = "/api/products"
_PROBLEMS: Final = (
    (
        400,
        "malformed-request",
        "The request is malformed",
        "This server does not answer to that host name.",
    ),
    (
        401,
        "unauthorized",
        "Authentication required",
        "Send the token of WEIGHBRIDGE_API_TOKEN as 'Authorization: Bearer …'; in a browser, log in at /login.",
    ),
    (
        403,
        "forbidden",
        "Not allowed from there",
        "Requests that change something are not taken from pages of other sites.",
    ),
    (404, "not-found", "Not found", "There is no product PROD-001."),
    (
        413,
        "too-large",
        "The request is too large",
        "The body is larger than 1,000,000,000 bytes, the most taken here.",
    ),
    (
        415,
        "unsupported-format",
        "Format not supported",
        "The content type is text/plain; send JSON as Content-Type: application/json.",
    ),
    (
        422,
        "invalid-input",
        "The request cannot be used",
        "limit: Input should be less than or equal to 1000",
    ),
    (
        503,
        "database-unavailable",
        "Database unavailable",
        "The database does not answer at the moment. Nothing is lost; try again.",
    ),
)

PROBLEM_EXAMPLES: Final[Mapping[int, Mapping[str, Any]]] = {
    status: {
        "type": TYPE_PREFIX + name,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"{_PRODUCTS}/PROD-001" if status == 404 else _PRODUCTS,
        **(
            {"errors": [{"field": "limit", "detail": detail.removeprefix("limit: ")}]}
            if status == 422
            else {}
        ),
    }
    for status, name, title, detail in _PROBLEMS
}
"""By status."""


def add_examples(document: dict[str, Any]) -> None:
    """Put them where they belong in an OpenAPI document."""
    for methods in document["paths"].values():
        for operation in methods.values():
            name = operation["operationId"]
            for status, example in ANSWERS.get(name, {}).items():
                for kind, media in operation["responses"][status]["content"].items():
                    if kind != "application/problem+json":
                        media["example"] = example
            for kind, example in REQUESTS.get(name, {}).items():
                operation["requestBody"]["content"][kind]["example"] = example
