"""One simulated account with a provider: checks a call's key and limits, chooses its fault and
latency, and answers it.

`app.py` passes the bodies of requests in and gets responses. All waiting is done on the clock that
it was given.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from weighbridge.errors import InputError
from weighbridge.simulator.books import Books
from weighbridge.simulator.chance import Throw, fault_for, latency_s, throw_dice
from weighbridge.simulator.completions import complete, completion_body
from weighbridge.simulator.config import (
    Fault,
    Keeping,
    SimulatorConfig,
    describe_faults,
    parse_faults,
    with_outage,
)
from weighbridge.simulator.http import Header, Response, json_response
from weighbridge.simulator.prompt_cache import Cached, PromptCache
from weighbridge.simulator.questions.chat import (
    ChatRequest,
    SchemaShelf,
    model_unknown,
    read_chat_request,
)
from weighbridge.simulator.questions.faults import ApiFault
from weighbridge.simulator.quota import Quota, Refused
from weighbridge.simulator.stored import StoredCompletions
from weighbridge.simulator.transport import AnswerOverdue, ConnectionDropped
from weighbridge.tasks import retrieve_error

if TYPE_CHECKING:
    from weighbridge.clock import Clock

_SLOW_FACTOR: Final = 10.0
"""The fault "slow" multiplies the latency by this."""
_SLOW_LEAST_S: Final = 5.0
"""The shortest latency with the fault "slow"."""
_GATEWAY_PAGE: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>simulated</center>\r\n</body>\r\n</html>\r\n"
)
_WITHOUT_CAUSE: Final = Refused("requests", 0, 0, 1, 1.0)  # as if others used the same key
_CHANGEABLE_NAMES: Final = (
    "requests_per_minute tokens_per_minute burst_s latency_s latency_sigma hang_s batch_delay_s "
    "api_key accepts_images faults outage_for_s flex_busy batch_expire enqueued_tokens has_batches"
)
_CHANGEABLE: Final = frozenset(_CHANGEABLE_NAMES.split())


class Account:
    """State of the account: configuration, books, quota, prompt cache, compiled schemas."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.started_at_s = clock.monotonic_s()
        self.books = Books(config.requests_per_minute, config.tokens_per_minute)
        self.shelf = SchemaShelf()
        self._stored = StoredCompletions(clock, self.books)
        self._unattended: set[asyncio.Task[Response]] = set()
        self._prompt_cache = PromptCache()
        self._quota = Quota(
            config.requests_per_minute, config.tokens_per_minute, config.burst_s, self.started_at_s
        )

    def check_key(self, authorization: bytes) -> None:
        """Raises the 401 (ApiFault) for a missing or wrong key."""
        scheme, _, key = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise ApiFault(401, "You didn't provide an API key.")
        if self.config.api_key is not None and key != self.config.api_key:
            raise ApiFault(
                401, f"Incorrect API key provided: {key[:3]}***.", code="invalid_api_key"
            )

    def check_shutdown(self, model: str) -> None:
        """Raises the 404 (ApiFault) for a model that has been shut down."""
        limits = self.config.models[model]
        if limits.shutdown is not None and self.clock.now().date() >= limits.shutdown:
            raise model_unknown(model)

    def check_outage(self) -> None:
        """Raises the 503 (ApiFault) during the configured outage."""
        outage_s = self.config.faults.outage_s
        if outage_s is None:
            return
        elapsed_s = self.clock.monotonic_s() - self.started_at_s
        if outage_s[0] <= elapsed_s < outage_s[1]:
            self.books.faults["outage"] += 1
            raise ApiFault(
                503,
                "The server is currently overloaded. Please try again later.",
                kind="server_error",
            )

    def cached(self, request: ChatRequest) -> Cached:
        """The tokens that this call reads from the prompt cache and writes to it."""
        return self._prompt_cache.look_up(request, self.clock.monotonic_s())

    async def chat(self, body: bytes, read_timeout_s: float | None) -> Response:
        """Answer POST /v1/chat/completions. Raises ApiFault, ConnectionDropped or AnswerOverdue."""
        books, config = self.books, self.config
        request = read_chat_request(body, config, self.shelf)
        self.check_shutdown(request.model)
        now_s = self.clock.monotonic_s()
        refused = self._quota.admit(request.charged_tokens, now_s)
        if refused is not None:
            books.refused[refused.kind] += 1
            return _too_many(request.model, refused, self._quota.headers())
        dice = throw_dice(config.seed, request.digest, books.prompts.ask(request.digest))
        if request.tier == "flex" and dice.place < config.flex_busy:
            self._quota.give_back(request.charged_tokens)
            books.faults["flex_busy"] += 1
            return _error(
                429,
                "Resource unavailable. Please try again later.",
                "resource_unavailable",
                "resource_unavailable",
                [],
            )
        fault = fault_for(config.faults, dice)
        if fault is Fault.RATE:
            self._quota.give_back(request.charged_tokens)
            books.faults[fault.value] += 1
            return _too_many(request.model, _WITHOUT_CAUSE, self._quota.headers())
        books.admit(now_s, request.charged_tokens, request.schema_name)
        limit_headers = self._quota.headers()
        try:
            if request.metadata is not None and config.keeping is Keeping.FINISHED:
                work = self._wait_and_respond(request, fault, dice, limit_headers, None)
                response = await self._finish_unattended(asyncio.create_task(work), read_timeout_s)
            else:
                response = await self._wait_and_respond(
                    request, fault, dice, limit_headers, read_timeout_s
                )
        except ConnectionDropped:
            raise
        except BaseException:  # the client gave up, by its timeout or by cancelling the call
            books.abandoned += 1
            raise
        took_s = self.clock.monotonic_s() - now_s
        response.headers.append((b"openai-processing-ms", b"%d" % (took_s * 1000)))
        return response

    async def _wait_and_respond(
        self,
        request: ChatRequest,
        fault: Fault | None,
        dice: Throw,
        limit_headers: list[Header],
        read_timeout_s: float | None,
    ) -> Response:
        """The response of an admitted call, after its latency."""
        try:
            await self._wait(fault, dice, read_timeout_s)
            return self._respond(request, fault, dice, limit_headers)
        finally:
            self.books.leave()

    async def _finish_unattended(
        self, work: asyncio.Task[Response], read_timeout_s: float | None
    ) -> Response:
        """The response of work that goes on when its client has gone.

        Raises:
            AnswerOverdue: the client's read timeout came first.
        """
        self._unattended.add(work)
        work.add_done_callback(self._unattended.discard)
        work.add_done_callback(retrieve_error)
        if read_timeout_s is None:
            return await asyncio.shield(work)
        overdue = asyncio.create_task(self.clock.sleep(read_timeout_s))
        try:
            await asyncio.wait({work, overdue}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            overdue.cancel()
        if not work.done():
            raise AnswerOverdue(f"no answer within {read_timeout_s:g} s (simulated)")
        return work.result()

    def stored(self, query_string: bytes) -> Response:
        """Answer GET /v1/chat/completions, the list of stored calls."""
        if self.config.lookups_count:
            refused = self._quota.admit(0, self.clock.monotonic_s())
            if refused is not None:
                self.books.refused[refused.kind] += 1
                return _too_many("stored completions", refused, self._quota.headers())
        return json_response(self._stored.page(query_string))

    def change(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the configuration as POST /simulator/config asks; returns the new `settings`.

        Raises InputError and changes nothing when a name or value is wrong.
        """
        if unknown := sorted(changes.keys() - _CHANGEABLE):
            raise InputError(
                f"'{unknown[0]}' cannot be changed; these can: {', '.join(sorted(_CHANGEABLE))}."
            )
        now_s = self.clock.monotonic_s()
        values = dict(changes)
        outage_for_s = values.pop("outage_for_s", None)
        if "faults" in values:
            values["faults"] = parse_faults(str(values["faults"]))
        try:
            config = replace(self.config, **values)
            outage_for_s = None if outage_for_s is None else float(outage_for_s)
        except (TypeError, ValueError) as error:
            raise InputError(f"A value is of the wrong type: {error}.") from error
        if outage_for_s is not None:
            from_s = now_s - self.started_at_s
            config = replace(
                config, faults=with_outage(config.faults, from_s, from_s + outage_for_s)
            )
        limits = (config.requests_per_minute, config.tokens_per_minute)
        self._quota.change(*limits, config.burst_s, now_s)
        self.books.change_limits(*limits, now_s)
        self.config = config
        return self.settings()

    def settings(self) -> dict[str, Any]:
        """The configuration as JSON, without the key."""
        config = self.config
        shown: dict[str, Any] = {
            name: getattr(config, name)
            for name in sorted(_CHANGEABLE - {"api_key", "faults", "outage_for_s"})
        }
        return {
            **shown,
            "faults": describe_faults(config.faults),
            "seed": config.seed,
            "models": list(config.models),
        }

    async def _wait(self, fault: Fault | None, dice: Throw, read_timeout_s: float | None) -> None:
        """Wait for the latency, which the faults "slow" and "timeout" lengthen.

        Raises:
            AnswerOverdue: after the client's read timeout, if that is shorter.
        """
        config = self.config
        delay_s = latency_s(config.latency_s, config.latency_sigma, dice)
        if fault is Fault.SLOW:
            delay_s = max(_SLOW_LEAST_S, delay_s * _SLOW_FACTOR)
        elif fault is Fault.TIMEOUT:
            delay_s = config.hang_s
        if read_timeout_s is not None and delay_s > read_timeout_s:
            await self.clock.sleep(read_timeout_s)
            self._count(fault)
            raise AnswerOverdue(f"no answer within {read_timeout_s:g} s (simulated)")
        if delay_s > 0:
            await self.clock.sleep(delay_s)

    def _respond(
        self, request: ChatRequest, fault: Fault | None, dice: Throw, limit_headers: list[Header]
    ) -> Response:
        """The response, damaged by the fault; nothing is billed for a timeout, a 500 or a web page.

        Raises:
            ConnectionDropped: the fault is a timeout.
        """
        match fault:
            case Fault.TIMEOUT:
                self._count(fault)
                raise ConnectionDropped("the server gave up without an answer (simulated)")
            case Fault.ERROR500:
                self._count(fault)
                return _server_error(limit_headers)
            case Fault.HTML:
                self._count(fault)
                return Response(502, _GATEWAY_PAGE, limit_headers, b"text/html")
            case _:
                pass
        response = self._answer(request, fault, dice, limit_headers)
        if fault is Fault.DROP:
            self._count(fault)
            response.is_broken = True
        return response

    def _answer(
        self, request: ChatRequest, fault: Fault | None, dice: Throw, limit_headers: list[Header]
    ) -> Response:
        """The billed answer, entered in the books. One that is then dropped counts as billed, but
        not as answered.
        """
        books = self.books
        completion = complete(request, self.config, fault, dice)
        self._count(
            Fault.SLOW
            if fault is Fault.SLOW
            else completion.fault
            if fault is not Fault.DROP
            else None
        )
        cached = self.cached(request)
        books.bill(request.prompt_tokens, cached, completion.output_tokens)
        books.calls_by_tier[request.tier] += 1
        if fault is not Fault.DROP:
            if completion.is_sound:
                books.prompts.answer(request.digest)
            for key in completion.sound:
                books.products.answer(key)
        call_id = f"chatcmpl-sim{self.books.completed:010d}"
        created = int(self.clock.now().timestamp())
        body = completion_body(request, completion, call_id, created, cached)
        if request.metadata is not None:
            self._stored.add(body, request.metadata, self.config)
        return Response(200, to_json(body), limit_headers)

    def _count(self, fault: Fault | None) -> None:
        if fault is not None:
            self.books.faults[fault.value] += 1


def _too_many(subject: str, refused: Refused, limit_headers: list[Header]) -> Response:
    """The 429 in OpenAI's words; `subject` is the model, or what else was asked for."""
    unit = "RPM" if refused.kind == "requests" else "TPM"
    subject = f"{subject} in organization org-simulated on {refused.kind} per min ({unit})"
    if refused.too_large:
        message = (
            f"Request too large for {subject}: Limit {refused.limit}, Requested "
            f"{refused.requested}. The input or output tokens must be reduced in order to run "
            "successfully."
        )
        return _error(429, message, refused.kind, "rate_limit_exceeded", limit_headers)
    wait_ms = max(1, -int(-refused.wait_s * 1000 // 1))
    wait = f"{wait_ms}ms" if wait_ms < 1000 else f"{wait_ms / 1000:g}s"
    message = (
        f"Rate limit reached for {subject}: Limit {refused.limit}, Used {refused.used}, "
        f"Requested {refused.requested}. Please try again in {wait}."
    )
    retry: list[Header] = [
        (b"retry-after-ms", b"%d" % wait_ms),
        (b"retry-after", b"%d" % -(-wait_ms // 1000)),
    ]
    return _error(429, message, refused.kind, "rate_limit_exceeded", limit_headers + retry)


def _server_error(limit_headers: list[Header]) -> Response:
    message = "The server had an error while processing your request. Sorry about that!"
    return _error(500, message, "server_error", None, limit_headers)


def _error(
    status: int, message: str, kind: str, code: str | None, headers: list[Header]
) -> Response:
    """An error response with the body that OpenAI sends."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return json_response(body, status, headers)
