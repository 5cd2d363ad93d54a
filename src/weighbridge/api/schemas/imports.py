"""Schemas of catalogue uploads: the report on a file, what an upload did, rejected rows and
notes.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from weighbridge.api.schemas.base import Schema


class RejectedRowView(Schema):
    """A row that could not become a product, and what to do about it."""

    row: int = Field(
        ge=0,
        description="Row as a spreadsheet numbers it (the header is row 1); in JSON, the number of the record.",
        examples=[17],
    )
    field: str = Field(examples=["name"])
    reason: str = Field(examples=["the name is empty; every product needs one"])
    code: str | None = None
    sheet: str | None = Field(default=None, description="Sheet of the workbook.")
    column: str | None = Field(default=None, description="Header of the column in the file.")


class RowNoteView(RejectedRowView):
    """A cell that was not used or is doubtful. Its product was imported."""

    found: str | None = Field(
        default=None, description="Content of the cell, shortened.", examples=["TBD"]
    )


class SheetView(Schema):
    """A sheet of a workbook."""

    name: str
    used: bool
    why: str
    header_row: int | None


class ColumnView(Schema):
    """A column of the file, and the field that it was read as."""

    column: str = Field(examples=["Gewicht (g)"])
    field: str = Field(examples=["weight"])
    why: str = Field(examples=["by its header"])
    filled: int = Field(ge=0)
    samples: list[str]
    unit: str | None = Field(examples=["g"])
    unit_why: str | None
    decimal_sign: str | None = Field(examples=[","])
    decimal_why: str | None


class UnusedColumnView(Schema):
    """A column that is not used, the field that it may hold, and how to have it read."""

    column: str
    looks_like: str | None
    remedy: str | None


class QuestionView(Schema):
    """A question that the file leaves open: send the answer as the form field named by `option`."""

    field: str
    column: str
    question: str
    option: str = Field(examples=["decimal"])
    answers: dict[str, str] = Field(description="Answer → what it means.")


class AssumptionView(Schema):
    """Something that was assumed because the file does not say it. If it is wrong, send an answer
    as the form field named by `option`.
    """

    field: str
    column: str
    assumption: str = Field(
        examples=['Column "weight" names no unit; its numbers are taken as kilograms.']
    )
    option: str = Field(examples=["unit"])
    answers: dict[str, str] = Field(description="Answer → what it means.")


class ReasonView(Schema):
    """The number of rows or cells with the same problem."""

    field: str
    reason: str
    count: int = Field(ge=1)
    first_row: int


class TierCostView(Schema):
    """The estimated cost of the same calls in another service tier of the provider."""

    tier: str = Field(examples=["flex"])
    cost_usd: float
    low_usd: float
    high_usd: float


class EstimateView(Schema):
    """The estimated calls, tokens, cost and time of processing a file's products."""

    products: int
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float = Field(
        description="Expected cost in the chosen service tier; 0 if no price is known (priceKnown is false)."
    )
    low_usd: float = Field(description="Cost if the model's answers are short.")
    high_usd: float = Field(
        description="Cost if the model's answers are long and the prompt cache saves nothing."
    )
    hours: float
    price_known: bool
    tiers: list[TierCostView] = Field(
        description="The cost in every service tier with a published price."
    )


class ReportView(Schema):
    """How a file is read: its format, columns, questions, products and rejected rows."""

    file: str
    format: str
    encoding: str | None
    encoding_certainty: str | None
    delimiter: str | None
    header_row: int | None
    shop: str | None = Field(
        description="Shop program that wrote the file; null if none was recognised.",
        examples=["Shopify"],
    )
    sheets: list[SheetView]
    columns: list[ColumnView]
    unused_columns: list[UnusedColumnView]
    questions: list[QuestionView]
    assumptions: list[AssumptionView]
    rows: int = Field(ge=0)
    products: int = Field(ge=0)
    noted_products: int = Field(ge=0)
    rejected_rows: int = Field(ge=0)
    passed_over: dict[str, int] = Field(
        description="Number of rows that hold no product of their own, by kind: a shop's export adds rows for further pictures or other languages of a product."
    )
    rejections: list[ReasonView]
    notes: list[ReasonView]
    first_rejected: list[RejectedRowView]
    first_notes: list[RowNoteView]
    estimate: EstimateView | None


class ImportDone(Schema):
    """What an upload did."""

    import_id: UUID
    created: int = Field(ge=0, examples=[998])
    updated: int = Field(ge=0, examples=[1])
    unchanged: int = Field(ge=0, examples=[0])
    rejected_count: int = Field(ge=0, examples=[1])
    rejected: list[RejectedRowView] = Field(description="The first 1,000 rejected rows.")
    rejected_url: str | None = Field(
        description="Address of all rejected rows as CSV; null if no row was rejected."
    )
    notes_count: int = Field(ge=0, examples=[2])
    notes: list[RowNoteView] = Field(description="The first 1,000 notes.")
    notes_url: str | None = Field(
        description="Address of all notes as CSV; null if there are none."
    )
    report: ReportView | None = Field(
        description="How the file was read; null for a single product sent as JSON."
    )
