"""Routes for the queue: status, start, stop, reset, configure."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from weighbridge.api.bodies import read_json
from weighbridge.api.context import ApiContext, Context
from weighbridge.api.errors import InvalidField, problem_responses
from weighbridge.api.schemas.queue import (
    ConfigChanged,
    ConfigDocument,
    FailedReset,
    QueueStatusDocument,
    Started,
    Stopped,
    config_change_schema,
    config_ranges,
)
from weighbridge.plain_text import counted
from weighbridge.service import queue as service
from weighbridge.service.status_view import status_document

router = APIRouter(prefix="/api/products", tags=["queue"])

_CONFIG_BYTES = 10_000


async def _status(context: ApiContext) -> dict[str, Any]:
    return status_document(await service.queue_status(context.database, context.clock))


@router.get("/queue-status", response_model=QueueStatusDocument)
async def queue_status(context: Context) -> Response:
    """Show what the queue is doing, and products by state."""
    # The document is made once for all requests of the same moment. It is sent without validation
    # by QueueStatusDocument, which would take longer than all the rest.
    return Response(await context.status(), media_type="application/json")


@router.post("/start-queue")
async def start_queue(context: Context) -> Started:
    """Start the queue. Products stuck in processing without a live job are released first."""
    waiting = await service.start_queue(context.database)
    status = await _status(context)
    return Started(
        added_to_queue=waiting,
        message=f"The queue is running; {counted(waiting, 'pending product')}.",
        queue=status["queue"],
    )


@router.post("/stop-queue")
async def stop_queue(context: Context) -> Stopped:
    """Stop the queue: no further calls start, and products without a call return to pending.

    Calls in flight finish and are stored; the answer does not wait for them. The queue stays
    stopped, also after a restart, until start-queue.
    """
    returned = await service.stop_queue(context.database)
    worker_id = context.engine.worker_id if context.engine else None
    elsewhere = await service.calls_elsewhere(context.database, worker_id)
    in_flight = context.calls_in_flight + elsewhere
    status = await _status(context)
    return Stopped(
        calls_in_flight=in_flight,
        returned_to_pending=returned,
        message=f"The queue is stopped. {_calls_left_sentence(in_flight)}",
        queue=status["queue"],
    )


def _calls_left_sentence(calls: int) -> str:
    if not calls:
        return "No call is in flight."
    return f"{counted(calls, 'call')} in flight will finish and be stored."


@router.post("/reset-failed")
async def reset_failed(context: Context) -> FailedReset:
    """Set all failed products to pending again, with error and attempts cleared."""
    count = await service.reset_failed(context.database)
    return FailedReset(
        modified_count=count, message=f"{counted(count, 'failed product')} set to pending again."
    )


@router.get("/queue-config")
async def read_queue_config(context: Context) -> ConfigDocument:
    """Show the present settings of the queue, and the values that each may have."""
    return ConfigDocument.model_validate(
        {**await service.read_config(context.database), "allowed": config_ranges()}
    )


@router.put(
    "/queue-config",
    responses=problem_responses(413, 415),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": config_change_schema()}},
        }
    },
)
async def queue_config(request: Request, context: Context) -> ConfigChanged:
    """Change settings of the running queue and store them. If one is invalid, nothing changes."""
    values = await read_json(request, _CONFIG_BYTES)
    if not isinstance(values, dict):
        raise InvalidField("body", 'Send a JSON object, such as {"batchSize": 200}.')
    previous, current = await service.configure(context.database, values)
    changed = {name: [previous[name], current[name]] for name in values}
    request.state.audit = {"detail": changed}
    return ConfigChanged.model_validate({"previous": previous, "current": current})
