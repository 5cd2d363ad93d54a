"""OpenAI, and every server that speaks its API: one call a question, as the official SDK would make
it.

The engine calls `OpenAIProvider.call` once it holds the budget for it. Good answers do not pass
through the SDK, which takes six times the CPU time of everything else in a call: it says beforehand
how requests look, and afterwards what failures mean (`sdk.py`). A request is sent again only where
the server refused one of its parameters, because each try costs quota that the governor must have
granted.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import httpx2
import openai
from pydantic_core import to_json
from typing_extensions import override

from weighbridge.clock import SystemClock
from weighbridge.errors import (
    AuthenticationFailed,
    EmptyReply,
    ModelUnknown,
    ProviderOverloaded,
    ProviderTimeout,
    RequestTooLarge,
)
from weighbridge.planning.models import profile_of
from weighbridge.providers.base import CACHE_SAVING, Provider
from weighbridge.providers.batching import OpenAIBatches
from weighbridge.providers.cache_watch import CacheWatch
from weighbridge.providers.faults.evidence import STATUS_IF_UNSTATED, evidence_of
from weighbridge.providers.faults.kinds import FAILURES
from weighbridge.providers.faults.masking import Masker
from weighbridge.providers.faults.messages import CallTarget, translate
from weighbridge.providers.faults.rate_limit_headers import read_processing_s, read_remaining
from weighbridge.providers.model_check import ModelFacts, check_model, is_answering
from weighbridge.providers.prices import price_of
from weighbridge.providers.replies.bodies import HiddenError, read_completion
from weighbridge.providers.replies.reading import (
    Arrival,
    Read,
    is_simulated,
    read_reply,
    stated_usd,
)
from weighbridge.providers.requests.address import clean_key, read_address
from weighbridge.providers.requests.bodies import encoded_body
from weighbridge.providers.requests.capabilities import AnswerForm, capabilities_of
from weighbridge.providers.requests.room import with_full_context, with_smaller_allowance
from weighbridge.providers.requests.wishes import (
    CONNECT_TIMEOUT_S,
    FLEX_OR_DEFAULT,
    Wishes,
    WritingPace,
)
from weighbridge.providers.sdk import Sdk
from weighbridge.providers.shutdown import shutdown_notice
from weighbridge.providers.stored_completions import NothingKept, find_stored
from weighbridge.providers.wire import Address, OverClient, Received, UnusableReply, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.clock import Clock
    from weighbridge.domain.calls import CallReply, CallRequest, Price
    from weighbridge.errors import ProviderError
    from weighbridge.providers.shutdown import ShutdownNotice

SIMULATOR: Final = "simulator"
"""The provider's name when the built-in simulator answers, at whatever address."""
_SIMULATED_HEADER: Final = "x-weighbridge-simulated"
_ENQUEUED: Final = "enqueued_tokens"
_COST_HEADER: Final = "x-litellm-response-cost"
OUT_OF_FORM_BEFORE_STEP: Final = 3
"""After so many whole replies in a row that are not the JSON object asked for, the server is taken
to ignore the schema, and the next form of `AnswerForm` is tried.
"""
UNUSABLE_BEFORE_STOP: Final = 10
"""After so many answers that are not chat completions, and none that is, the address is taken to be
wrong: a web page, or another API.
"""
DOUBTS_OF_A_KEY: Final = 3
"""Refusals in a row after which a key that has worked counts as revoked, and a model or address
that has worked as gone: a proxy that is being replaced refuses everything for a moment.
"""


class OpenAIProvider(Provider):
    """Asks a model over HTTP. Safe to use from any number of tasks of one event loop.

    `http_client` replaces the network, for the simulator and for tests; `aclose` closes it too.
    `simulated` marks every answer as made up, and prices it like the same call to OpenAI.
    """

    def __init__(
        self,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        *,
        timeout_s: float | None = None,
        http_client: httpx2.AsyncClient | None = None,
        simulated: bool = False,
        wishes: Wishes = Wishes(),  # noqa: B008 - immutable
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._model = model
        self._simulated = simulated
        self._wishes = wishes if timeout_s is None else replace(wishes, timeout_s=timeout_s)
        self._key = clean_key(api_key)
        self._at = read_address(base_url)
        self._name = SIMULATOR if simulated else self._at.name
        self._is_local = self._at.is_loopback and not simulated
        self._capabilities = capabilities_of(
            model,
            is_openai=self._at.is_openai or simulated,
            effort=wishes.effort,
            tier=wishes.sent_tier,
            form=wishes.form,
        )
        self._facts = ModelFacts(context_tokens=profile_of(model).context_tokens)
        self._lists_replies = True
        self._key_has_worked = False
        self._key_doubts = 0
        self._unusable = 0
        self._out_of_form = 0
        self._cache = CacheWatch()
        self._pace = WritingPace()
        self._in_flight = 0
        self._good_form: AnswerForm | None = None
        self._proven_form = self._capabilities.form
        longest_s = self._wishes.longest_s(is_local=self._is_local)
        timeout = httpx2.Timeout(longest_s, connect=CONNECT_TIMEOUT_S, pool=None)
        self._wire, client = (
            _network_and_client(self._at.url, timeout)
            if http_client is None
            else (OverClient(http_client, timeout), http_client)
        )
        self._sdk = Sdk(self._key, self._at, timeout, client)
        self._address: Address | None = None
        self._rehearsing = asyncio.Lock()
        self._batches = OpenAIBatches(
            self._sdk, model, self._target, lambda: self._capabilities, self._note_simulated
        )

    @property
    @override
    def name(self) -> str:
        return self._name

    @property
    @override
    def model(self) -> str:
        return self._model

    @property
    @override
    def simulated(self) -> bool:
        return self._simulated

    @property
    @override
    def price(self) -> Price:
        provider = "openai" if self._simulated else self.name
        return price_of(self._model, provider, self._wishes.prices)

    @property
    @override
    def tier(self) -> str | None:
        return self._capabilities.tier

    @property
    @override
    def context_tokens(self) -> int | None:
        return self._facts.context_tokens

    @property
    @override
    def calls_at_once(self) -> int | None:
        return self._facts.slots

    @property
    @override
    def is_local(self) -> bool:
        return self._is_local and not self._simulated

    @property
    @override
    def notices(self) -> tuple[str, ...]:
        """Sentences on the model's shutdown and on a refused reasoning effort, if any."""
        shutdown = self._shutdown_notice()
        refused = self._capabilities.effort_notice(self._at.host)
        said = (shutdown.text if shutdown else None, refused)
        return tuple(notice for notice in said if notice is not None)

    def _shutdown_notice(self) -> ShutdownNotice | None:
        today = self._clock.now().date()
        return shutdown_notice(self._model, self._facts.shutdown, today, provider=self.name)

    @override
    def learned(self) -> Mapping[str, Any]:
        """Capabilities (with the form that is known to work), limits and cache saving, as JSON."""
        proven = replace(self._capabilities, form=self._proven_form)
        return {
            **proven.dump(),
            "context_tokens": self._facts.context_tokens,
            "slots": self._facts.slots,
            CACHE_SAVING: self._cache.saving_usd,
            _ENQUEUED: self._batches.enqueued_tokens,
        }

    @override
    def recall(self, learned: Mapping[str, Any]) -> None:
        """Take over capabilities, cache saving and batch limit from an earlier process."""
        self._capabilities = self._capabilities.recalled(learned)
        self._proven_form = self._capabilities.form
        self._cache.saving_usd = float(learned.get(CACHE_SAVING) or 0.0)
        self._batches.enqueued_tokens = int(learned.get(_ENQUEUED) or 0) or None

    @override
    async def call(self, request: CallRequest) -> CallReply:
        """One question; asked again in the standard tier where flex is full and the user allows
        that.
        """
        try:
            return await self._call(request, request.tier or self._capabilities.tier)
        except ProviderOverloaded as error:
            if not (error.is_out_of_flex and self._wishes.tier == FLEX_OR_DEFAULT):
                raise
            return await self._call(request, None)

    async def _call(self, request: CallRequest, tier: str | None) -> CallReply:
        """Send one question; remember what the answer shows about form, cache, pace and key.

        Raises:
            ProviderError: the one that `_provider_error` makes of the failure.
        """
        began_s = self._clock.monotonic_s()
        self._in_flight += 1
        try:
            received, completion = await self._ask(request, tier)
        except (*FAILURES, UnusableReply) as error:
            raise self._provider_error(error, request) from error
        finally:
            self._in_flight -= 1
        headers = received.headers
        self._key_has_worked, self._key_doubts = True, 0
        self._note_simulated(completion)
        self._simulated |= _SIMULATED_HEADER in headers
        arrival = Arrival(
            read_remaining(headers),
            headers.get("x-request-id"),
            read_processing_s(headers),
            stated_usd(headers.get(_COST_HEADER)),
        )
        reply, is_in_form = self._read(completion, request, arrival)
        self._watch_form(is_in_form=is_in_form)
        self._watch_cache(reply)
        self._pace.observe(self._clock.monotonic_s() - began_s, reply.usage.output_tokens)
        return with_full_context(reply, self._facts.context_tokens)

    def _read(self, completion: Mapping[str, Any], request: CallRequest, arrival: Arrival) -> Read:
        """As `read_reply`. Raises ModelUnknown for a server that puts all text into the
        reasoning.
        """
        try:
            return read_reply(completion, request=request, model=self._model, arrival=arrival)
        except EmptyReply as empty:
            if empty.is_only_reasoning and self._good_form is None:
                raise ModelUnknown(str(empty)) from empty  # the server's way, not a bad moment
            raise

    def _note_simulated(self, completion: Mapping[str, Any]) -> None:
        self._simulated |= is_simulated(completion)

    def _provider_error(self, error: Exception, request: CallRequest) -> ProviderError:
        """Our error for a failed call, in view of earlier answers.

        A key or model that has worked counts as wrong only after several refusals; a server that
        never gave a usable answer counts as a wrong address. Also remembers a stated context size,
        and lowers the number of calls at once after a timeout of a local server.
        """
        failure = translate(error, self._target(request))
        if isinstance(error, UnusableReply) and not self._key_has_worked:
            self._unusable += 1
            if self._unusable >= UNUSABLE_BEFORE_STOP:
                return ModelUnknown(
                    f"There is no chat completions API at this address of {self._at.host}: "
                    f"none of the {self._unusable} replies so far came from one ({error}). Check "
                    "OPENAI_BASE_URL: it usually ends in /v1."
                )
        if isinstance(failure, RequestTooLarge) and failure.context_tokens:
            self._facts = replace(self._facts, context_tokens=failure.context_tokens)
        if isinstance(failure, ProviderTimeout) and self.is_local:
            self._send_fewer_at_once()
        if isinstance(failure, AuthenticationFailed | ModelUnknown) and self._key_has_worked:
            self._key_doubts += 1
            if self._key_doubts < DOUBTS_OF_A_KEY:
                return ProviderOverloaded(f"{failure} It worked before, so Weighbridge retries.")
        if (
            isinstance(failure, ModelUnknown)
            and (shutdown := self._shutdown_notice())
            and shutdown.is_over
        ):
            return ModelUnknown(shutdown.text)
        return failure

    def _send_fewer_at_once(self) -> None:
        """Halve the calls at once: those that a small server does not work on wait there, and time
        out.
        """
        slots = max(1, self._in_flight // 2)
        self._facts = replace(self._facts, slots=min(slots, self._facts.slots or slots))

    def _watch_form(self, *, is_in_form: bool) -> None:
        """Move to the next form of answer after several replies out of form, down to the schema in
        the prompt.

        Not where the present form has given a good reply: then the model failed, not the server.
        A new form is kept for the next process only once it has given a good reply.
        """
        form = self._capabilities.form
        self._out_of_form = 0 if is_in_form else self._out_of_form + 1
        if is_in_form:
            self._proven_form = self._good_form = form
        if self._out_of_form >= OUT_OF_FORM_BEFORE_STEP and form is not self._good_form:
            self._capabilities = self._capabilities.with_next_form() or self._capabilities
            self._out_of_form = 0

    def _watch_cache(self, reply: CallReply) -> None:
        """Stop marking text for the prompt cache once caching costs more than it saves."""
        self._cache.observe(reply.usage, self.price.in_tier(reply.service_tier))
        if self._cache.does_not_pay and self._capabilities.marks_prefix:
            self._capabilities = replace(self._capabilities, writes_cache=False)

    @property
    @override
    def batches(self) -> OpenAIBatches:
        return self._batches

    @property
    @override
    def keeps_replies(self) -> bool:
        return self._lists_replies and self._capabilities.stores

    @property
    @override
    def longest_call_s(self) -> float:
        return CONNECT_TIMEOUT_S + self._wishes.longest_s(is_local=self._is_local)

    @override
    async def find(self, request: CallRequest) -> CallReply | None:
        """The stored reply to the call with this request's key; None if the server shows none."""
        if request.key is None:
            return None
        try:
            completion = await find_stored(self._sdk.client, request.key)
        except NothingKept:
            self._lists_replies = False
            return None
        except FAILURES as error:
            raise translate(error, self._target(request)) from error
        if completion is None:
            return None
        request_id = completion.get("request_id")
        arrival = Arrival(request_id=request_id if isinstance(request_id, str) else None)
        return read_reply(completion, request=request, model=self._model, arrival=arrival).reply

    @override
    async def check(self) -> None:
        """Check key, address and model; learns the model's context size, and whether the address
        is that of a simulator.
        """
        today = self._clock.now().date()
        facts = await check_model(
            self._sdk.client, self._target(), today=today, is_local=self._is_local
        )
        if _SIMULATED_HEADER in facts.headers:
            # The name changes only here: quota, holds and calls are stored under it.
            self._simulated, self._name = True, SIMULATOR
        self._key_has_worked |= facts.key_was_taken
        self._facts = facts.beside(self._facts)

    @override
    async def is_alive(self) -> bool:
        return await is_answering(self._sdk.client)

    @override
    async def aclose(self) -> None:
        await self._sdk.client.close()

    async def _ask(
        self, request: CallRequest, tier: str | None
    ) -> tuple[Received, Mapping[str, Any]]:
        """(the answer as received, its chat completion). Sends the question again only when the
        server refuses one of its parameters, or has too little room for the output.

        A refused parameter is not sent again, so this happens a few times in the life of a
        provider (and once for each call that is then in flight). All tries go on the one request
        that the governor has granted.
        """
        while True:
            capabilities = self._capabilities
            sent = replace(capabilities, tier=tier) if tier != capabilities.tier else capabilities
            try:
                body = encoded_body(request, self._model, sent)
                timeout_s = self._wishes.timeout_s_for(
                    request, is_local=self._is_local, pace_s=self._pace.seconds_per_token
                )
                return await self._post_question(body, timeout_s)
            except openai.APIStatusError as error:
                evidence = evidence_of(error)
                if shorter := with_smaller_allowance(request, evidence):
                    request = shorter
                    continue
                adapted = capabilities.adapted_to(evidence)
                if adapted is None:
                    raise
                if self._capabilities == capabilities:  # else another call has learned something
                    self._capabilities = adapted
                    self._proven_form = adapted.form

    async def _post_question(
        self, body: bytes, timeout_s: float
    ) -> tuple[Received, Mapping[str, Any]]:
        """(the answer as received, its chat completion). Raises what the SDK raises for a
        failure.
        """
        address = self._address or await self._question_address()
        try:
            # The read timeout starts anew with each byte; this one bounds the whole call.
            async with asyncio.timeout(CONNECT_TIMEOUT_S + timeout_s):
                received = await self._wire.post(address, body, timeout_s)
        except httpx2.HTTPError as failure:
            raise await self._sdk.error_for(failure) from failure
        if not 200 <= received.status < 300:
            raise await self._sdk.error_for(received)
        try:
            return received, read_completion(received.content)
        except HiddenError as hidden:
            said = replace(
                received, status=hidden.status or STATUS_IF_UNSTATED, content=to_json(hidden.body)
            )
        raise await self._sdk.error_for(said)

    async def _question_address(self) -> Address:
        """The address and headers of questions, learned from the SDK once, even when many calls
        start together: a hundred rehearsals take a quarter of a second.
        """
        async with self._rehearsing:
            if self._address is None:
                self._address = await self._sdk.rehearse()
            return self._address

    def _target(self, request: CallRequest | None = None) -> CallTarget:
        """What error messages need; the texts of `request` are kept out of them."""
        texts = (request.instructions, request.content) if request else ()
        masker = Masker(self._key, texts)
        return CallTarget(self.name, self._at.host, self._model, masker, self._key_has_worked)


def _network_and_client(base_url: str, timeout: httpx2.Timeout) -> tuple[Wire, httpx2.AsyncClient]:
    """(connection pool for questions, HTTP client for the SDK that shares the pool)."""
    # Imported here: it takes a tenth of a second, which a run against the simulator need not pay.
    from weighbridge.providers.network import Network, NetworkTransport

    network = Network(base_url, timeout)
    return network, httpx2.AsyncClient(transport=NetworkTransport(network), trust_env=False)
