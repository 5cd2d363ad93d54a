"""Routes for products: list, show, add, delete, picture.

Added to the app after all routes with fixed paths, because a code may contain anything, even
slashes.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator
from starlette.convertors import PathConvertor, register_url_convertor

from weighbridge.api.bodies import read_json, receive_file
from weighbridge.api.context import Context
from weighbridge.api.cursors import make_cursor, read_cursor
from weighbridge.api.errors import (
    PROBLEMS,
    FieldProblem,
    InvalidField,
    problem_response,
    problem_responses,
)
from weighbridge.api.schemas.explanation import ProductExplanation
from weighbridge.api.schemas.imports import ImportDone
from weighbridge.api.schemas.products import (
    PictureStored,
    ProductDetail,
    ProductList,
    ProductSummary,
    ProvenanceView,
    product_input_schema,
)
from weighbridge.api.uploads import PICTURE_BODY, import_answer
from weighbridge.domain.products import MOST_PICTURES, ProcessingStatus
from weighbridge.errors import NotFound, UnreadableFile
from weighbridge.export.jsonl_writer import answered_json
from weighbridge.ingest.values.pictures import MAX_PICTURE_BYTES
from weighbridge.service import product_views as views
from weighbridge.service import products as service
from weighbridge.service.desk import explaining
from weighbridge.service.imports import import_records

if TYPE_CHECKING:
    from weighbridge.service.product_views import ListedProduct, ShownFootprint
    from weighbridge.steps import Steps

router = APIRouter(prefix="/api/products", tags=["products"])


class _CodeConvertor(PathConvertor):
    """A path parameter that may be any non-empty text, so that `/api/products/` is not a
    product.
    """

    regex = ".+"


register_url_convertor("code", _CodeConvertor())

Code = Annotated[str, Path(description="The product's code.", examples=["PROD-001"])]
PAGE = 50
"""How many products a page of a list has, unless the request says otherwise."""
_FORM_BYTES = 100_000
"""How many bytes a form that uploads a picture may have besides the picture itself."""


def _empty_is(default: object) -> BeforeValidator:
    """Takes an empty parameter as `default`: forms send `?status=&limit=` if nothing is chosen."""
    return BeforeValidator(lambda given: default if given == "" else given)


@router.get("")
async def list_products(
    context: Context,
    status: Annotated[
        ProcessingStatus | None,
        _empty_is(None),
        Query(description="Only products in this state.", examples=["failed"]),
    ] = None,
    search: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Part of the code or name, ignoring case.",
            examples=["bottle"],
        ),
    ] = None,
    checked: Annotated[
        bool | None,
        _empty_is(None),
        Query(
            description="true: only products that somebody marked as checked; false: only completed products that nobody has checked."
        ),
    ] = None,
    corrected: Annotated[
        bool | None,
        _empty_is(None),
        Query(
            description="true: only products that somebody has corrected; false: only products that nobody has corrected."
        ),
    ] = None,
    limit: Annotated[
        int,
        _empty_is(PAGE),
        Query(ge=1, le=1000, description="Products per page.", examples=[100]),
    ] = PAGE,
    cursor: Annotated[
        str | None,
        Query(
            max_length=100,
            description="The nextCursor of the previous page; leave it out for the first page.",
            examples=[make_cursor(50)],
        ),
    ] = None,
) -> ProductList:
    """List products in order of arrival, page by page. A parameter without a value is ignored."""
    after_id = read_cursor(cursor or None)
    if search and "\0" in search:
        raise InvalidField("search", "A search text cannot contain a NUL character.")
    page = await views.list_products(
        context.database,
        status=status,
        search=search,
        after_id=after_id,
        limit=limit,
        checked=checked,
        corrected=corrected,
    )
    return ProductList(
        products=[ProductSummary.model_validate(_summary(one)) for one in page.products],
        next_cursor=None if page.next_after_id is None else make_cursor(page.next_after_id),
    )


def _summary(product: ListedProduct) -> dict[str, Any]:
    """A listed product under the names of `ProductSummary`."""
    values = asdict(product)
    values["weight"] = values.pop("weight_kg")
    values["ai_processing_status"] = values.pop("status")
    return values


@router.post(
    "",
    status_code=201,
    response_model=ImportDone,
    responses={
        **problem_responses(413, 415),
        200: {"model": ImportDone, "description": "The product already existed."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": product_input_schema()}},
        }
    },
)
async def add_product(
    request: Request, response: Response, context: Context
) -> ImportDone | JSONResponse:
    """Add a product, or update the one with this code. Processing starts automatically."""
    record = await read_json(request)
    if not isinstance(record, dict):
        raise InvalidField(
            "body", "Send one product as a JSON object; for several, use bulk-upload."
        )
    result = await import_records(context.database, [record], limits=context.settings.field_limits)
    if result.rejected:
        return _rejected_product(request, [(row.field, row.reason) for row in result.rejected])
    response.status_code = 201 if result.created else 200
    return import_answer(result)


def _rejected_product(request: Request, problems: list[tuple[str, str]]) -> JSONResponse:
    """The 422 for a product that was not imported; `problems` are (field, reason)."""
    fields = [FieldProblem(field=field, detail=reason) for field, reason in problems]
    detail = "; ".join(f"{field}: {reason}" for field, reason in problems)
    kind = PROBLEMS[InvalidField]
    return problem_response(
        request.url.path, kind.status, kind.name, kind.title, detail, fields=fields
    )


@router.post(
    "/{code:code}/image",
    responses=problem_responses(404, 413, 415),
    openapi_extra={"requestBody": PICTURE_BODY},
)
async def attach_picture(code: Code, request: Request, context: Context) -> PictureStored:
    """Attach a picture to a product (JPEG, PNG, WebP or GIF).

    The product is then processed again.
    """
    _refuse_nul(code)
    await views.require_product(context.database, code)
    limit_bytes = MAX_PICTURE_BYTES + _FORM_BYTES
    async with receive_file(
        request, context.settings.data_dir, limit_bytes, pictures=True
    ) as upload:
        data = await asyncio.to_thread(upload.path.read_bytes)
    try:
        picture = await service.attach_picture(context.database, code, data)
    except UnreadableFile as error:
        raise InvalidField("file", f"{upload.name}: {error}") from error
    return PictureStored(
        code=code,
        media_type=picture.media_type,
        width_px=picture.width_px,
        height_px=picture.height_px,
        size_bytes=picture.size_bytes,
    )


@router.get(
    "/{code:code}/image",
    response_class=Response,
    responses={
        **problem_responses(404),
        200: {
            "description": "The picture.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("image/jpeg", "image/png", "image/webp", "image/gif")
            },
        },
    },
)
async def show_picture(
    code: Code,
    context: Context,
    number: Annotated[int, Query(ge=1, le=MOST_PICTURES, description="Which of several.")] = 1,
) -> Response:
    """Download a stored picture of a product."""
    _refuse_nul(code)
    picture = await views.show_picture(context.database, code, number)
    return Response(picture.data, media_type=picture.media_type)


@router.get("/{code:code}/explanation", responses=problem_responses(404, 409))
async def explain_product(code: Code, context: Context) -> ProductExplanation:
    """Show how a product's figure is computed: its routes, their lines, and the emission
    factors.
    """
    _refuse_nul(code)
    found = await explaining.explain_product(context.database, context.steps, code)
    return ProductExplanation.model_validate(found, from_attributes=True)


@router.get("/{code:code}", responses=problem_responses(404))
async def show_product(code: Code, context: Context) -> ProductDetail:
    """Show one product with its answers, footprint, calls, attempts and errors."""
    _refuse_nul(code)
    record = await views.show_product(context.database, context.steps, code)
    return ProductDetail.model_validate(
        {
            **_summary(record.product),
            "footprint": _footprint(record.footprint, context.steps),
            "answers": record.answers,
            "calls": record.calls,
            "errors": [asdict(problem) for problem in record.problems],
        }
    )


def _footprint(shown: ShownFootprint | None, steps: Steps) -> dict[str, Any] | None:
    """The footprint under the names of `FootprintView`; None while there is none."""
    if shown is None:
        return None
    footprint = shown.footprint
    return {
        **asdict(footprint),
        "decided_by": footprint.dominance,
        "routes_apart": footprint.disagreement,
        "primary_data": footprint.primary_data,
        "estimate_kg_co2e": footprint.estimate_kg_co2e,
        "contributions": [
            {**one._asdict(), "route": one.route, "share": share}
            for one, share in zip(footprint.contributions, footprint.shares, strict=True)
        ],
        "answered": answered_json(steps.fields, shown.answered),
        "cost_usd": shown.cost_usd,
        "calculated_at": shown.calculated_at,
        "provenance": ProvenanceView.model_validate(shown.provenance),
    }


@router.delete("/{code:code}", status_code=204, responses=problem_responses(404))
async def delete_product(code: Code, context: Context) -> None:
    """Delete a product with its answers and footprint. The record of paid calls is kept."""
    _refuse_nul(code)
    await service.delete_product(context.database, code)


def _refuse_nul(code: str) -> None:
    if "\0" in code:
        raise NotFound("A product code cannot contain a NUL character.")
