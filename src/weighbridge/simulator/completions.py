"""Makes the body of the answer to an accepted request: the analyst writes the text, a fault may
damage it, tokens are counted.

Used for live calls by `app.py` and for batch lines by `batches.py`. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from weighbridge.simulator.answering.analyst import find_products
from weighbridge.simulator.answering.portrait import portray
from weighbridge.simulator.answering.spoil import (
    cut_text,
    garble,
    poison_row,
    product_rows,
    spoil_rows,
)
from weighbridge.simulator.config import Fault, SimulatorConfig
from weighbridge.simulator.models import hidden_tokens
from weighbridge.simulator.tokens import count_tokens, first_tokens

if TYPE_CHECKING:
    from weighbridge.simulator.chance import Throw
    from weighbridge.simulator.prompt_cache import Cached
    from weighbridge.simulator.questions.chat import ChatRequest

FINGERPRINT: Final = "simulated"
REFUSAL: Final = "I'm sorry, but I can't assist with that request."


@dataclass(frozen=True, slots=True)
class Completion:
    """What the simulated model said.

    `is_sound`: neither fault nor poison has damaged it. `sound` are the keys (see `_keys`) of the
    products whose answers are undamaged.
    """

    text: str | None
    finish_reason: str
    output_tokens: int
    refusal: str | None = None
    is_sound: bool = True
    sound: tuple[bytes, ...] = ()
    fault: Fault | None = None  # the fault, if it changed the answer
    reasoning_tokens: int = 0  # hidden; part of the output


def complete(
    request: ChatRequest, config: SimulatorConfig, fault: Fault | None, dice: Throw
) -> Completion:
    """The model's answer to a request, damaged by the fault; the same for the same seed and
    dice.
    """
    products = find_products(request.text)
    poison = _poison_mode(request.text, config.poison_marker)
    if fault is Fault.REFUSE or poison == "REFUSE":
        struck = Fault.REFUSE if fault is Fault.REFUSE else None
        return Completion(
            None, "stop", count_tokens(REFUSAL), REFUSAL, is_sound=False, fault=struck
        )
    if request.schema is None:
        text = "{}" if request.schema_name == "json_object" else "This is a simulated answer."
        keys: list[bytes] = []
    else:
        answer = request.schema.analyst.answer(products, config.seed)
        rows = product_rows(answer)
        keys = (
            _keys(request.schema_name, products, config.seed) if len(rows) == len(products) else []
        )
        _poison_rows(rows, products, keys, config.poison_marker if poison is not None else "")
        position = spoil_rows(rows, fault, dice.place)
        if position is None and fault in (
            Fault.MISSING,
            Fault.FOREIGN,
            Fault.DOUBLED,
            Fault.IMPLAUSIBLE,
        ):
            fault = None
        elif position is not None and keys:
            keys[position] = b""
        text = to_json(answer).decode()
    whole = text
    finish_reason = "stop"
    if fault is Fault.TRUNCATE or poison == "TRUNCATE":
        text, finish_reason = cut_text(text, dice.place), "length"
    elif fault is Fault.FILTER:
        text, finish_reason = cut_text(text, dice.place), "content_filter"
    elif fault is Fault.MALFORMED:
        text = garble(text, dice.place)
    tokens = count_tokens(text)
    hidden = min(hidden_tokens(request.effort, request.digest), request.max_output_tokens)
    room = request.max_output_tokens - hidden
    if tokens > room:
        text, tokens, finish_reason = first_tokens(text, room), room, "length"
    is_whole = text == whole
    sound = tuple(filter(None, keys)) if is_whole else ()
    return Completion(
        text,
        finish_reason,
        tokens + hidden,
        is_sound=is_whole and all(keys),
        sound=sound,
        fault=fault,
        reasoning_tokens=hidden,
    )


def completion_body(
    request: ChatRequest, completion: Completion, call_id: str, created: int, cached: Cached
) -> dict[str, Any]:
    """The chat completion object in OpenAI's form."""
    of_prompt = {"cached_tokens": cached.read, "audio_tokens": 0}
    if request.bills_cache_writes:
        of_prompt["cache_write_tokens"] = cached.written
    return {
        "id": call_id,
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": completion.text,
                    "refusal": completion.refusal,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": completion.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": request.prompt_tokens,
            "completion_tokens": completion.output_tokens,
            "total_tokens": request.prompt_tokens + completion.output_tokens,
            "prompt_tokens_details": of_prompt,
            "completion_tokens_details": {
                "reasoning_tokens": completion.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": request.tier,
        "system_fingerprint": FINGERPRINT,
    }


def _poison_mode(text: str, marker: str) -> str | None:
    """What a poison marker in a prompt asks for: "" to spoil the products that carry it, or
    TRUNCATE or REFUSE for the whole call; None without a marker.
    """
    if not marker or marker not in text:
        return None
    return next((mode for mode in ("TRUNCATE", "REFUSE") if f"{marker}-{mode}" in text), "")


def _poison_rows(
    rows: list[dict[str, Any]], products: list[dict[str, Any]], keys: list[bytes], marker: str
) -> None:
    """Spoil the rows of products whose text contains `marker`, in place, and blank their keys."""
    if not marker or len(rows) != len(products):
        return
    for position, (row, product) in enumerate(zip(rows, products, strict=True)):
        if any(isinstance(value, str) and marker in value for value in product.values()):
            poison_row(row)
            if keys:
                keys[position] = b""


def _keys(schema_name: str, products: list[dict[str, Any]], seed: int) -> list[bytes]:
    """For each product what identifies the question about it: the schema's name, and a digest of
    the product as it stands in the prompt.
    """
    prefix = schema_name.encode()
    return [prefix + b"\0" + portray(product, seed).digest for product in products]
