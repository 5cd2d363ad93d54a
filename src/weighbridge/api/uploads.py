"""What the upload routes share: schemas of their bodies, reading of form fields, the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from weighbridge.api.bodies import FILE_TYPES, PICTURE_TYPES, ReceivedFile
from weighbridge.api.errors import InvalidField
from weighbridge.api.schemas.imports import ImportDone, RejectedRowView, ReportView, RowNoteView
from weighbridge.api.schemas.products import product_input_schema
from weighbridge.domain.calls import Lane
from weighbridge.errors import InputError
from weighbridge.ingest.base import Choices
from weighbridge.ingest.columns.matching import parse_mapping
from weighbridge.ingest.decisions import Given, ReadOptions
from weighbridge.ingest.values.units import UNIT_NAMES
from weighbridge.service.report_document import note_document, report_document, row_document

if TYPE_CHECKING:
    from weighbridge.ingest.report import CatalogueReport
    from weighbridge.planning.cost import CatalogueEstimate
    from weighbridge.service.imports import ImportResult
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
                        "description": "Format of the file; needed only if its name and content leave that open.",
                    },
                    "decimal": {
                        "type": "string",
                        "enum": ["point", "comma"],
                        "description": "Decimal sign of numbers that could be read in two ways, such as 1.234.",
                    },
                    "unit": {
                        "type": "string",
                        "description": "Unit of weights given without one: kg, g, mg, t, lb or oz.",
                    },
                    "encoding": {
                        "type": "string",
                        "description": "Encoding of a text file, such as utf-8.",
                    },
                    "sheet": {"type": "string", "description": "Sheet of a workbook to read."},
                    "lane": {
                        "type": "string",
                        "enum": ["online", "flex", "batch"],
                        "description": "How the model is asked about these products from now on: online (at once), flex (at once, in the "
                        "cheaper tier) or batch (within 24 hours, at half the price). If left out, products that are stored already keep their choice and new ones are online.",
                    },
                    "map": {
                        "type": "string",
                        "description": "Which column holds which field: field=column, one on each line.",
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


def desk_file_body(*kinds: str) -> dict[str, Any]:
    """The OpenAPI schema of a body that is a file of one of these media types, or a form with
    it.
    """
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            **{kind: {"schema": _BINARY} for kind in kinds},
        },
    }


_FIELDS: Final = ("decimal", "unit", "encoding", "sheet", "map")


def read_options(upload: ReceivedFile, settings: Settings) -> ReadOptions:
    """The options for reading an uploaded catalogue, from the fields of its form.

    Raises:
        InvalidField: a field has a value that is not allowed.
    """
    fields = {name: upload.fields.get(name, "").strip() for name in _FIELDS}
    if fields["decimal"] not in ("", "point", "comma"):
        raise InvalidField("decimal", "decimal must be point or comma.")
    unit = UNIT_NAMES.get(fields["unit"].casefold())
    if fields["unit"] and unit is None:
        raise InvalidField("unit", "unit must be kg, g, mg, t, lb or oz.")
    try:
        mapping = parse_mapping(line for line in fields["map"].splitlines() if line.strip())
    except InputError as error:
        raise InvalidField("map", str(error)) from None
    decimal: Literal[".", ","] | None = _SIGNS.get(fields["decimal"])
    return ReadOptions(
        format_name=upload.format_name,
        name=upload.name,
        mapping=mapping,
        choices=Choices(fields["encoding"] or None, fields["sheet"] or None),
        given=Given(decimal, unit),
        limits=settings.field_limits,
        pictures_beside=False,
    )


def read_lane(upload: ReceivedFile) -> Lane | None:
    """The lane named in an upload's form; None if the form names none.

    Raises:
        InvalidField: there is no such lane.
    """
    name = upload.fields.get("lane", "").strip()
    try:
        return Lane(name) if name else None
    except ValueError:
        raise InvalidField("lane", "lane must be online, flex or batch.") from None


_SIGNS: Final[dict[str, Literal[".", ","]]] = {"point": ".", "comma": ","}


def report_view(report: CatalogueReport, estimate: CatalogueEstimate | None = None) -> ReportView:
    """The report on a file, with the estimate of its cost, as the API shows it."""
    return ReportView.model_validate(report_document(report, estimate))


def import_answer(result: ImportResult, report: CatalogueReport | None = None) -> ImportDone:
    """The answer to an upload: counts, the first rejected rows and notes, and links to all."""
    url = f"/api/products/imports/{result.import_id}"
    return ImportDone(
        import_id=result.import_id,
        created=result.created,
        updated=result.updated,
        unchanged=result.unchanged,
        rejected_count=result.rejected_count,
        rejected=[RejectedRowView.model_validate(row_document(row)) for row in result.rejected],
        rejected_url=f"{url}/rejected" if result.rejected_count else None,
        notes_count=result.noted_count,
        notes=[RowNoteView.model_validate(note_document(note)) for note in result.notes],
        notes_url=f"{url}/notes" if result.noted_count else None,
        report=report_view(report) if report else None,
    )
