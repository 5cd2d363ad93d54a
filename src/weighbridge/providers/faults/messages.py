"""Turns what the SDK raises into our error, with a message for people: what happened, what to do.

`openai.py` calls `translate` for every failure of a call. The kind comes from `kinds.py`; keys and
prompts are kept out by `masking.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx2
import openai

from weighbridge.errors import (
    AuthenticationFailed,
    GenerationFailed,
    ImageRefused,
    ModelUnknown,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExhausted,
    RateLimited,
    RequestBlocked,
    RequestRefused,
    RequestTooLarge,
)
from weighbridge.providers.faults.evidence import STATUS_IF_UNSTATED, evidence_of
from weighbridge.providers.faults.kinds import SCHEMA_WORDS, kind_of
from weighbridge.providers.faults.rate_limit_headers import read_remaining, read_retry_after_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.providers.faults.evidence import Evidence
    from weighbridge.providers.faults.masking import Masker


@dataclass(frozen=True)
class CallTarget:
    """Which provider and model a request went to: what an error message about it needs."""

    provider: str
    host: str
    model: str
    masker: Masker
    key_has_worked: bool = False


_BROKEN_OFF: Final = (ProviderUnreachable, ProviderTimeout)
_NO_CONNECTION: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
    ConnectionRefusedError,
)


def translate(error: Exception, target: CallTarget) -> ProviderError:
    """Our error for what the SDK raised, with a message for people.

    Keys and prompts are masked in `error` itself too.
    """
    kind = kind_of(error, key_has_worked=target.key_has_worked)
    if isinstance(error, openai.APIStatusError):
        ours = _from_answer(kind, evidence_of(error), target)
    else:
        ours = _without_answer(kind, error, target)
        ours.may_be_answered = kind in _BROKEN_OFF and not _never_left(error)
    target.masker.scrub(error)
    return ours


def _from_answer(
    kind: type[ProviderError], evidence: Evidence, target: CallTarget
) -> ProviderError:
    """The error for an answer: with the server's own words, masked, and its limits and wait."""
    said = target.masker.quote(evidence.message) or "no explanation was given"
    where = target.provider + _label(evidence, target.masker)
    if kind is RateLimited:
        return RateLimited(
            f"Rate limit exceeded at {where}: {said}",
            retry_after_s=read_retry_after_s(evidence.headers, evidence.message),
            remaining=read_remaining(evidence.headers),
            is_about_day=evidence.is_about_day,
        )
    if kind is ModelUnknown:
        return ModelUnknown(_model_unknown_message(evidence, target, where, said))
    if kind is ProviderOverloaded and not evidence.is_json:
        return ProviderOverloaded(
            f"{where} answered with something other than JSON ({said}), usually because of a proxy "
            "or an outage. Weighbridge retries."
        )
    if kind is RequestTooLarge:
        context = evidence.context_tokens or stated_context(evidence.message)
        full = (
            f"the server's context of {context:,} tokens is full. The server said: "
            if context
            else ""
        )
        return RequestTooLarge(
            f"The request is larger than {where} accepts in one call of {target.model}: {full}{said}",
            context_tokens=context,
        )
    sentence = _SENTENCES[kind]
    if kind is AuthenticationFailed and not evidence.is_json:
        sentence = _NO_ANSWER_OF_AN_API
    if "{said}. " in sentence:
        said = said.rstrip(".")
    ours = kind(sentence.format(where=where, said=said, model=target.model))
    if isinstance(ours, ProviderOverloaded):
        ours.is_out_of_flex = evidence.status == 429
    return ours


_CONTEXT: Final = re.compile(
    r"(?:maximum context length is|context (?:window|length|size) (?:of(?: only)?|is|\()|exceeds the context of"
    r"|max(?:imum)? (?:model|sequence) len\w*\D{0,12}|available context size \(|n_ctx\D{1,6}"
    r"|max_new_tokens\W* must be <=)\s*([\d,]{3,12})|([\d,]{3,12}) maximum context"
)


def stated_context(message: str) -> int | None:
    """The model's context length in tokens, where a refusal states it; else None."""
    found = _CONTEXT.search(message.lower())
    return int((found[1] or found[2]).replace(",", "")) if found else None


_NO_ANSWER_OF_AN_API: Final = (
    "{where} answered with a web page ({said}), and no call with this key has worked so far: the "
    "provider may refuse the key, or a firewall in front of it may block this machine. Check "
    "OPENAI_API_KEY and OPENAI_BASE_URL."
)
_SENTENCES: Final[Mapping[type[ProviderError], str]] = {
    QuotaExhausted: (
        "The account at {where} has no credit left or reached its spending limit: {said}. "
        "Top it up at the provider, then start the queue again."
    ),
    AuthenticationFailed: (
        "{where} refused the key: {said}. Check OPENAI_API_KEY, and that its project and region "
        "may use {model}."
    ),
    GenerationFailed: "{where} discarded the answer of {model}: {said}",
    ImageRefused: "{where} did not accept the picture: {said}",
    RequestBlocked: (
        "A firewall in front of the provider blocked the request: {where} answered with {said}. "
        "Look for HTML, script or SQL in the product's texts, or have the firewall let these "
        "requests through."
    ),
    RequestRefused: "{where} refused the request: {said}",
    ProviderOverloaded: "{where} is unavailable: {said}",
    ProviderTimeout: "{where} gave up waiting for the model: {said}",
    ProviderUnreachable: "{where} could not be reached: {said}",
}


_ADDRESS: Final = re.compile(
    r"unexpected endpoint|invalid url|(?:route|endpoint|path|page|resource)\b[^.]{0,40}not found|cannot (?:post|get) /"
    r"|no static resource|unknown request url|unsupported (?:path|endpoint)|no route"
)


def _model_unknown_message(evidence: Evidence, target: CallTarget, where: str, said: str) -> str:
    """The message for `ModelUnknown`: the model lacks schemas, is not known, or the address is
    wrong.
    """
    said = said.rstrip(".")
    about_address = evidence.status < 400 or evidence.status in {405, 501}
    about_address = about_address or bool(_ADDRESS.search(evidence.searchable))
    if SCHEMA_WORDS.search(evidence.searchable) and not about_address:
        return (
            f"{target.model} at {where} does not support the JSON answers that Weighbridge asks "
            f"for (structured outputs by JSON schema, or JSON at all): {said}. Set WEIGHBRIDGE_MODEL "
            "to a model that does, or WEIGHBRIDGE_STRUCTURED_OUTPUTS to object or text."
        )
    names_model = re.search(r"model|deployment|endpoints? found", evidence.searchable)
    if not about_address and names_model:
        return f"{where} does not know the model {target.model}, or the key may not use it: {said}. Check WEIGHBRIDGE_MODEL."
    moved_to = evidence.headers.get("location")
    redirect = f" The address redirects to {target.masker.mask(moved_to)}." if moved_to else ""
    reply = f" The reply was: {said}." if evidence.message else ""
    return (
        f"There is no chat completions API at this address of {where}.{redirect}{reply} "
        "Check OPENAI_BASE_URL: it usually ends in /v1."
    )


def _without_answer(
    kind: type[ProviderError], error: Exception, target: CallTarget
) -> ProviderError:
    """The error where no usable answer came: a timeout, no connection, broken Unicode, no JSON."""
    reason = target.masker.quote(_deepest_reason(error))
    because = f": {reason}" if reason else ""
    if kind is ProviderTimeout:
        return ProviderTimeout(f"{target.host} did not answer in time{because}")
    if kind is RequestRefused:
        return RequestRefused(
            "The product's text contains broken Unicode, which cannot be sent. Correct it and upload the product again."
        )
    if kind is ProviderOverloaded:
        return ProviderOverloaded(
            f"{target.provider} sent a reply that is not the JSON of its API{because}. "
            "If it keeps happening, check OPENAI_BASE_URL."
        )
    return ProviderUnreachable(
        f"No connection to {target.host}{because}. Check the network and OPENAI_BASE_URL."
    )


def _never_left(error: BaseException) -> bool:
    """Whether the request was never sent, because no connection was made."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, _NO_CONNECTION):
            return True
        link = link.__cause__ or link.__context__
    return False


def _deepest_reason(error: BaseException) -> str:
    """The text of the innermost cause that has one: the SDK's own says only "Connection error."."""
    text = ""
    link: BaseException | None = error
    while link is not None:
        text = str(link) or text
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return text


def _label(evidence: Evidence, masker: Masker) -> str:
    """Status, code and request id, as far as known: " (429 rate_limit_exceeded, request req_1)"."""
    number = 200 if evidence.status == STATUS_IF_UNSTATED else evidence.status
    status = " ".join([str(number), *evidence.codes[:1]])
    request_id = evidence.headers.get("x-request-id")
    known = f"{status}, request {request_id}" if request_id else status
    return f" ({masker.mask(known)})"
