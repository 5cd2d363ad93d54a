"""How many tokens a small context leaves for the answer. Pure.

Servers differ in what they do when prompt and output allowance exceed the context together: vLLM,
SGLang and TGI refuse the call and say how long the prompt is; llama.cpp and Ollama answer until the
context is full.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from weighbridge.domain.calls import CallReply, FinishReason
from weighbridge.providers.faults.messages import stated_context

if TYPE_CHECKING:
    from weighbridge.domain.calls import CallRequest
    from weighbridge.providers.faults.evidence import Evidence

NEARLY: Final = 16
"""A context counts as full when this many tokens or fewer are free: servers keep some back."""
LEAST_SHARE: Final = 2
"""The output allowance is reduced to no less than itself divided by this, a half: with less, it is
better to ask for the products in smaller groups.
"""
_PROMPT: Final = re.compile(
    r"([\d,]{1,12})(?: tokens?)? (?:in the (?:messages|prompt)|input tokens|from the input|`inputs`)"
)


def with_smaller_allowance(request: CallRequest, refused: Evidence) -> CallRequest | None:
    """The same request with an output allowance that fits into the context that is left.

    None where the refusal does not say how much is left, or where too little is.
    """
    context = refused.context_tokens or stated_context(refused.message)
    prompt = _PROMPT.search(refused.message.lower())
    if context is None or prompt is None:
        return None
    left = context - int(prompt[1].replace(",", "") or 0)
    allowance = request.max_output_tokens
    if not allowance / LEAST_SHARE <= left < allowance:
        return None
    return request._replace(max_output_tokens=left)


def with_full_context(reply: CallReply, context_tokens: int | None) -> CallReply:
    """The reply; `full_context_tokens` is set if a full context cut the answer off."""
    if context_tokens is None or reply.finish_reason is not FinishReason.LENGTH:
        return reply
    used = reply.usage.input_tokens + reply.usage.output_tokens
    is_full = used >= context_tokens - NEARLY
    return reply._replace(full_context_tokens=context_tokens) if is_full else reply
