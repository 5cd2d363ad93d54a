"""Shared by the upload routes: the upload folder, request schemas, the import's response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.api.bodies import FILE_TYPES, PICTURE_TYPES
from weighbridge.api.schemas.products import ImportDone, RejectedRowView, product_input_schema

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.service.products import ImportResult
    from weighbridge.settings import Settings

_BINARY: Final = {"type": "string", "format": "binary"}
_FORM: Final = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {**_BINARY, "description": "The file."}},
}

CSV_EXAMPLE: Final = (
    "code,name,description,weight,countryOfOrigin\n"
    'PROD-001,Steel bottle,"Stainless steel, 500 ml, double wall",0.35,DE\n'
)

CATALOGUE_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                **_FORM,
                "properties": {
                    **_FORM["properties"],  # type: ignore[dict-item]
                    "format": {
                        "type": "string",
                        "enum": ["csv", "xlsx", "json", "jsonl", "parquet"],
                        "description": "Only needed if the format is not clear from name and content.",
                    },
                },
            }
        },
        **{kind: {"schema": _BINARY} for kind in FILE_TYPES},
        "application/json": {"schema": {"type": "array", "items": product_input_schema()}},
        "text/csv": {"schema": _BINARY, "example": CSV_EXAMPLE},
    },
}
PICTURE_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _FORM},
        **{kind: {"schema": _BINARY} for kind in PICTURE_TYPES},
    },
}


def uploads_folder(settings: Settings) -> Path:
    """On the disk of the data, not in a temporary folder that may live in memory."""
    return settings.data_dir / "uploads"


def import_answer(result: ImportResult) -> ImportDone:
    """The contract's answer about an import."""
    url = f"/api/products/imports/{result.import_id}/rejected"
    return ImportDone(
        import_id=result.import_id,
        created=result.created,
        updated=result.updated,
        unchanged=result.unchanged,
        rejected_count=result.rejected_count,
        rejected=[
            RejectedRowView(row=row.row, field=row.field, reason=row.reason, code=row.code)
            for row in result.rejected
        ],
        rejected_url=url if result.rejected_count else None,
    )
