"""Schemas of products and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from weighbridge.api.schemas.base import Schema
from weighbridge.api.schemas.imports import RowNoteView
from weighbridge.domain.products import FieldLimits, ProcessingStatus
from weighbridge.domain.results import ContributionKind, RouteName

_LIMITS: Final = FieldLimits()


class ProductSummary(Schema):
    """A product in a list. It has figures once it is completed."""

    code: str = Field(examples=["PROD-001"])
    name: str = Field(examples=["Steel bottle"])
    description: str = Field(examples=["Stainless steel, 500 ml, double wall"])
    weight: float | None = Field(description="In kg, as given in the catalogue.", examples=[0.35])
    image_url: str | None
    has_picture: bool = Field(description="Whether a picture was uploaded.")
    more_pictures: list[str | None] = Field(
        description="Addresses of further pictures; null for a picture that was uploaded as a file and has no address."
    )
    country_of_origin: str | None = Field(
        description="Two-letter country code (ISO 3166-1 alpha-2).", examples=["DE"]
    )
    facts: dict[str, Any] = Field(
        description="Other details from the catalogue, such as materials and quantity.",
        examples=[{"materials": "stainless steel", "quantity": 1200}],
    )
    notes: list[RowNoteView] = Field(
        description="Cells of the product's row in the uploaded file that were not used, or are doubtful."
    )
    ai_processing_status: ProcessingStatus
    category: str | None
    subcategory: str | None
    emissions_kg_co2e: float | None = Field(
        alias="emissionsKgCo2e",
        description="The figure: greenhouse gases of one unit from raw materials to the finished product (cradle-to-gate), over 100 years (GWP100).",
    )
    low_kg_co2e: float | None = Field(alias="lowKgCo2e", description="Lower end of the 95 % range.")
    high_kg_co2e: float | None = Field(
        alias="highKgCo2e", description="Upper end of the 95 % range."
    )
    data_quality: float | None = Field(
        description="Mean of PACT's three data quality ratings, 1 (best) to 3."
    )
    simulated: bool | None = Field(
        description="true if the built-in simulator invented the answers; do not use the figures then."
    )
    attempts: int = Field(ge=0, description="Attempts without a usable answer.")
    error_kind: str | None
    error: str | None = Field(description="Why the product failed or was retried.")
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class ProductList(Schema):
    """One page of products. Pass `nextCursor` as `cursor` to get the next; null on the last
    page.
    """

    products: list[ProductSummary]
    next_cursor: str | None


class ContributionView(Schema):
    """One term of a footprint: an activity, such as a mass, times an emission factor."""

    route: RouteName
    share: float = Field(
        description="Share of the figure that this contribution decides; the shares add up to 1."
    )
    kind: ContributionKind
    label: str
    factor_key: str
    activity: float
    activity_unit: str
    factor: float
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    source: str
    source_id: str
    year: str
    region: str
    licence: str
    is_proxy: bool


class RouteView(Schema):
    """One of the routes by which the figure is computed, and its weight in the figure."""

    name: RouteName
    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    weight: float = Field(
        description="Weight of this route in the figure, which is the weighted geometric mean of the routes. A route of weight 0 is shown but not counted."
    )
    log_sigma: float = Field(
        description="How uncertain the figure of this route is, as the standard deviation of its natural logarithm. The share that the route has in the combined figure (`weight`) is computed from it."
    )
    range_log_sigma: float = Field(
        description="The standard deviation of the natural logarithm that the range from lowKgCo2e to highKgCo2e of this route stands for; it can differ from logSigma."
    )
    basis: str = Field(
        description="The data behind the route.",
        examples=["12 lines", "7 published products of 3 makers or studies"],
    )


class MassView(Schema):
    """The mass used in the calculation, and where it came from."""

    value: float
    unit: str
    origin: str = Field(examples=["given", "inferred", "corrected"])
    low: float | None = None
    high: float | None = None
    source: str | None = None


class DataQualityView(Schema):
    """PACT's three ratings, 1 (best) to 3."""

    technological: float
    geographical: float
    temporal: float


class AnswerProvenanceView(Schema):
    """Where the answer to one step came from."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    model: str
    simulated: bool
    recorded: bool = Field(
        description="Replayed from a recording; `model` names the model that answered and the date."
    )
    answered_at: datetime | None = Field(
        description="When the model answered; null in old footprints, which do not record it."
    )
    variant_of: str | None = Field(
        description="Code of the variant whose answers this product uses; null if the model was asked about this product itself."
    )


class ProvenanceView(Schema):
    """The versions of the method, factors and questions behind a footprint, and who answered each
    step.
    """

    model_config = ConfigDict(from_attributes=True)

    method: str
    factors: str
    steps: dict[str, str] = Field(description="Version of the question that each step asks.")
    answers: dict[str, AnswerProvenanceView] = Field(
        description="Where the answer to each step came from."
    )
    provider: str
    model: str = Field(
        description="The model that gave the answers; where there were several, the model of each step."
    )
    simulated: bool
    recorded: bool


class FootprintView(Schema):
    """The figure and everything it was computed from."""

    emissions_kg_co2e: float = Field(alias="emissionsKgCo2e")
    low_kg_co2e: float = Field(alias="lowKgCo2e")
    high_kg_co2e: float = Field(alias="highKgCo2e")
    boundary: str
    mass: MassView
    data_quality: DataQualityView
    decided_by: str = Field(examples=["both agree", "class figure", "routes disagree ×3.2"])
    routes_apart: float | None = Field(
        description="How far the routes are apart: the highest figure divided by the lowest; 1 means that they agree. "
        "If the supplier's figure is used, it is compared with the estimate. null if only one route counts."
    )
    primary_data: str | None = Field(
        description="Set if the figure is primary data, such as the supplier's own figure, and not a computed estimate; otherwise null.",
        examples=["supplier's figure"],
    )
    estimate_kg_co2e: float | None = Field(
        alias="estimateKgCo2e",
        description="The computed estimate, where the supplier's figure is used instead of it; otherwise null.",
    )
    routes: list[RouteView]
    contributions: list[ContributionView]
    notes: list[str]
    answered: dict[str, Any] = Field(
        description="The model's answers, with the same fields as in a JSONL export.",
        examples=[{"category": "Kitchen & dining", "subcategory": "Drinking bottles"}],
    )
    cost_usd: float
    calculated_at: datetime
    provenance: ProvenanceView


class AnswerView(Schema):
    """An accepted answer of the model to one question about this product."""

    step: str
    step_version: str
    provider: str
    model: str
    simulated: bool
    answer: dict[str, Any]
    cost_usd: float
    call_id: int
    answered_at: datetime
    variant_of: str | None = Field(
        description="Code of the variant whose answers this product uses; null if the model was asked about this product itself."
    )


class CallView(Schema):
    """A call that included this product. `outcome` is `ok` or the name of an error."""

    id: int
    started_at: datetime
    latency_s: float
    waited_s: float
    provider: str
    model: str
    simulated: bool
    step: str
    step_version: str
    lane: str
    outcome: str = Field(examples=["ok"])
    error: str | None
    request_id: str | None
    group_size: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float


class ErrorView(Schema):
    """An error in processing this product."""

    at: datetime
    kind: str
    reason: str
    step: str | None


class ProductDetail(ProductSummary):
    """A product with everything known about it. `calls` has the last 100."""

    footprint: FootprintView | None
    answers: list[AnswerView]
    calls: list[CallView]
    errors: list[ErrorView]


class PictureStored(Schema):
    """The picture attached to a product."""

    code: str
    media_type: str = Field(examples=["image/png"])
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    size_bytes: int = Field(ge=1)


_FACTS: Final = {
    "materials": "Composition, such as 80 % cotton, 20 % polyester.",
    "recycledShare": "Share of the mass that is recycled material, such as 30 %.",
    "piecesPerPack": "Number of pieces in one unit of this product code.",
    "grossWeight": "Weight with packaging, in kg.",
    "processHints": "How the product is made, such as injection moulded.",
    "quantity": "Number of pieces sold or bought in a year.",
    "price": "Price of one unit, in the field currency.",
    "currency": "Currency code (ISO 4217), such as EUR.",
    "supplier": "Who sells or makes the product.",
    "supplierFootprint": "The supplier's own figure for the product, in kg CO2e.",
    "supplierFootprintUnit": "Unit of the supplier's figure: piece or kg.",
    "supplierFootprintBoundary": "What the supplier's figure covers: cradle-to-gate, cradle-to-grave or gate-to-gate.",
    "parentCode": "Code of the product that this one is a variant of.",
    "variant": "What sets this variant apart from the others, such as Size: 50 cm.",
}


def product_input_schema() -> dict[str, Any]:
    """The schema of one product for the OpenAPI document; the importer does the checking."""
    return {
        "type": "object",
        "required": ["code", "name", "description"],
        "properties": {
            "code": {"type": "string", "minLength": 1, "maxLength": _LIMITS.code},
            "name": {"type": "string", "minLength": 1, "maxLength": _LIMITS.name},
            "description": {"type": "string", "minLength": 1, "maxLength": _LIMITS.description},
            "weight": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "description": "kg",
            },
            "imageUrl": {
                "type": ["string", "array", "null"],
                "items": {"type": "string"},
                "description": "http or https; up to four are used",
            },
            "countryOfOrigin": {
                "type": ["string", "null"],
                "description": "ISO 3166-1 alpha-2",
                "examples": ["DE"],
            },
            **{
                name: {"type": ["string", "number", "null"], "description": text}
                for name, text in _FACTS.items()
            },
        },
        "example": {
            "code": "PROD-001",
            "name": "Steel bottle",
            "description": "Stainless steel, 500 ml, double wall",
            "weight": 0.35,
            "countryOfOrigin": "DE",
        },
    }
