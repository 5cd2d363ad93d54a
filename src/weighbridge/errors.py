"""All errors, grouped by what the caller can do about them.

    WeighbridgeError
    ├── SettingsError                    wrong configuration; stop at start, exit code 2
    ├── InputError                       the user's file or request
    │   ├── UnsupportedFormat · UnreadableFile · MissingColumn · AmbiguousColumn
    │   └── PictureRefused · PictureUnreachable     → ask from the text alone, or give up
    ├── InternalError                    a bug of ours; the log has the traceback
    ├── NotFound · Conflict              the request does not fit the current state
    ├── ProviderError                    no usable reply
    │   ├── ProviderUnreachable · ProviderTimeout · ProviderOverloaded      → retry with backoff
    │   ├── EmptyReply                   → the same, for a few minutes only: each one is billed
    │   ├── RateLimited(retry_after_s)   → wait, then retry; does not count as a failed attempt
    │   ├── RequestTooLarge              → split the group (a group of one: give up)
    │   ├── RequestRefused               → ask each product alone; alone: give up
    │   │   ├── RequestBlocked           a firewall, not the provider
    │   │   └── ImageRefused             → retry, then ask without the picture
    │   ├── GenerationFailed             → try again, a few times
    │   └── QuotaExhausted · AuthenticationFailed · ModelUnknown · NoBatchApi
    │                                    → stop the queue, tell the operator
    ├── AnswerError                      a reply, but not an answer
    │   └── AnswerTruncated · AnswerMalformed · WrongProducts · ImplausibleAnswer → ask again, alone
    ├── CalculationError                 FactorTableInvalid
    └── StoreError                       DatabaseUnavailable · SchemaTooNew

Messages say what happened, to which record, and what to do next. Secrets and prompts never enter
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence


class WeighbridgeError(Exception):
    """Base class of all expected errors; the message is for the user."""


class SettingsError(WeighbridgeError):
    """The configuration is invalid. Nothing was started."""


class InputError(WeighbridgeError):
    """The user's file or request cannot be used as it is."""


class UnsupportedFormat(InputError):
    """Weighbridge does not read or write files of this kind."""


class UnreadableFile(InputError):
    """The file is missing, empty, damaged, too large, or of another format than its name says."""


class MissingColumn(InputError):
    """A required column was not found; the message lists what was expected and found."""


class AmbiguousColumn(InputError):
    """A column's numbers or units can be read in two ways; the message names the options that
    decide.
    """


class PictureRefused(InputError):
    """A picture cannot be used: its address must not be fetched, or there is no picture at it, or a
    too large one.
    """


class PictureUnreachable(InputError):
    """A picture could not be downloaded from its address. `is_final`: another try would not
    help.
    """

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


class InternalError(WeighbridgeError):
    """Weighbridge itself failed: a bug, not the user's fault."""


class NotFound(WeighbridgeError):
    """There is no such record."""


class Conflict(WeighbridgeError):
    """The request does not fit the current state."""


class ProviderError(WeighbridgeError):
    """The provider gave no usable reply."""

    may_be_answered = False
    """Whether the provider may have received the whole request, and sent a reply that did not
    arrive.
    """


class ProviderUnreachable(ProviderError):
    """No connection, or it broke before a reply arrived."""


class ProviderTimeout(ProviderError):
    """The reply did not arrive in time."""


class ProviderOverloaded(ProviderError):
    """The provider answered 5xx, or with something that is not its API (an HTML page, for
    example).
    """

    is_out_of_flex = False
    """Whether only the flex tier has no capacity, so that the default tier may answer."""


class EmptyReply(ProviderError):
    """The provider sent a completion without text, and bills it.

    `reply` is the rest of the reply (usage and so on), a `domain.calls.CallReply`. Its type here is
    `object` for the same reason as that of `RateLimited.remaining`; read it with
    `providers.base.reply_of`. `is_only_reasoning`: there was text, but marked as reasoning.
    """

    def __init__(
        self, message: str, reply: object | None = None, *, is_only_reasoning: bool = False
    ) -> None:
        super().__init__(message)
        self.reply = reply
        self.is_only_reasoning = is_only_reasoning


class RateLimited(ProviderError):
    """The provider answered 429: too many requests or tokens in a minute or a day.

    `remaining` are the rate-limit headers of the response, a `domain.calls.Remaining`. Its type
    here is `object` because this module may not import `domain`; read it with
    `providers.base.remaining_of`. `is_about_day`: the limit is one per day, so waiting a minute
    does not help.
    """

    def __init__(
        self,
        message: str,
        retry_after_s: float | None = None,
        remaining: object | None = None,
        *,
        is_about_day: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.remaining = remaining
        self.is_about_day = is_about_day


class RequestTooLarge(ProviderError):
    """The request exceeds what the model or the account accepts in one call.

    `context_tokens` is the size of the model's context, where the response states it.
    """

    def __init__(self, message: str, context_tokens: int | None = None) -> None:
        super().__init__(message)
        self.context_tokens = context_tokens


class RequestRefused(ProviderError):
    """The provider will not process this request (content policy, bad image, invalid request)."""


class RequestBlocked(RequestRefused):
    """Something in front of the provider (a web application firewall) stopped this request."""


class ImageRefused(RequestRefused):
    """The provider could not fetch the picture, or does not accept it."""


class GenerationFailed(ProviderError):
    """The provider rejected its own model's output; another try may succeed."""


class QuotaExhausted(ProviderError):
    """The account has no credit left; no call works until it is topped up."""


class AuthenticationFailed(ProviderError):
    """The key is wrong, revoked, or may not use this model."""


class ModelUnknown(ProviderError):
    """The provider does not know the model."""


class NoBatchApi(ProviderError):
    """The server has no Batch API, or refuses every batch of ours."""


class AnswerError(WeighbridgeError):
    """The provider replied, but the reply is no usable answer."""

    def about(self, code: str) -> AnswerError:
        """A copy of this error whose message begins with the product's code."""
        return type(self)(f"{code}: {self}")


class AnswerTruncated(AnswerError):
    """The reply was cut off at the output allowance."""


class AnswerMalformed(AnswerError):
    """The reply does not follow the requested schema."""


class WrongProducts(AnswerError):
    """The reply covers other products than those asked about, or omits some."""


class ImplausibleAnswer(AnswerError):
    """The reply is well-formed but implausible.

    `stated_kg` is the sum of a bill's masses, if the answer was refused because that is not the
    product's weight.
    """

    def __init__(self, message: str, stated_kg: float | None = None) -> None:
        super().__init__(message)
        self.stated_kg = stated_kg

    @override
    def about(self, code: str) -> ImplausibleAnswer:
        return ImplausibleAnswer(f"{code}: {self}", self.stated_kg)


class CalculationError(WeighbridgeError):
    """A footprint cannot be computed."""


class BadCell(NamedTuple):
    """A cell that cannot be used, and why. Rows are counted as in a spreadsheet: the header is row
    1.
    """

    row: int
    column: str
    reason: str


class FactorTableInvalid(CalculationError):
    """A factor file has missing or contradictory values; the message names file, row and column.

    `rows` are the bad cells of the file, each with its reason.
    """

    def __init__(self, message: str, rows: Sequence[BadCell] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class StoreError(WeighbridgeError):
    """The database cannot do what was asked."""


class DatabaseUnavailable(StoreError):
    """PostgreSQL cannot be started or reached, or ran out of disk."""


class SchemaTooNew(StoreError):
    """The database was written by a newer Weighbridge; this version cannot work with it."""
