"""Keeps the caps on money: before a call is sent, the most that it can cost is committed; after its
reply, what it did not cost is given back.

Every round that gives out permits does both under a lock (`rounds.py`), so that the calls in flight
of all processes together cannot cost more than the caps allow. The money of a call whose outcome is
unknown stays committed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.domain.budgets import THE_BUDGET_OF
from weighbridge.errors import GenerationFailed
from weighbridge.planning.cost import most_usd, reply_cost_usd
from weighbridge.providers.base import reply_of
from weighbridge.store import budgets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from weighbridge.domain.budgets import Budget
    from weighbridge.domain.calls import Price
    from weighbridge.engine.quota.permits import Permit, PreparedCall, Spans
    from weighbridge.errors import ProviderError
    from weighbridge.providers.base import Provider
    from weighbridge.store.database import Connection

Amounts = Mapping[tuple[str, str], float]
"""USD for each cap on money, which is identified by (name, span)."""


class Money(NamedTuple):
    """What the caps leave. Without caps `left_usd` is infinite; `narrowest` is the cap with the
    least left; `spans` are all caps that a call is committed to.
    """

    left_usd: float
    spans: Spans
    price: Price
    narrowest: Budget | None

    def most_usd(self, call: PreparedCall, allowance: int) -> float:
        """The most that the call can cost; 0 if there are no caps."""
        if self.narrowest is None or call.is_look_up:
            return 0.0
        return most_usd(call.prompt_tokens + call.doubt_tokens, allowance, self.price)

    def why_not(self, usd: float, model: str) -> str:
        """Why a call that may cost `usd` may not be sent, for the operator."""
        assert self.narrowest is not None  # noqa: S101 - else it might be sent
        if math.isinf(usd):
            return (
                f"The price of {model} is not known, so its calls cannot be held within a budget. "
                "Set WEIGHBRIDGE_PRICES to a price table that has the model, or remove the budget "
                "(weighbridge budget --help)."
            )
        budget = self.narrowest
        return (
            f"{THE_BUDGET_OF} {_usd(budget.cap_usd)} for {budget.words} is used up: "
            f"${budget.committed_usd:,.4f} is spent or reserved, and the next call may cost "
            f"${usd:,.4f}. "
            "Raise the budget to continue (weighbridge budget --help)."
        )


def _usd(usd: float) -> str:
    return f"${usd:,.2f}" if round(usd, 2) == usd else f"${usd:,.4f}"


class Spending:
    """Commits and gives back the money of calls; one per process.

    `pays_priority`: calls are priced by the priority tier.
    """

    def __init__(self, provider: Provider, *, pays_priority: bool = False) -> None:
        self._provider = provider
        self._pays_priority = pays_priority
        self._given_back: defaultdict[tuple[str, str], float] = defaultdict(float)

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._provider.model

    @property
    def is_owed(self) -> bool:
        """Whether there is money to be given back to the caps."""
        return bool(self._given_back)

    def take(self) -> Amounts:
        """Take out the amounts that are to be given back to the caps: the caller must give them
        back by `look`, or call `put_back`.
        """
        taken, self._given_back = self._given_back, defaultdict(float)
        return taken

    def put_back(self, taken: Amounts) -> None:
        """Keep these amounts for the next time: they could not be given back."""
        for key, usd in taken.items():
            self._given_back[key] += usd

    async def look(self, connection: Connection, given_back: Amounts, now: datetime) -> Money:
        """Give these amounts back to the caps, and return what is left of them. They stay locked
        until the transaction ends.
        """
        await budgets.commit_more(connection, {key: -usd for key, usd in given_back.items()})
        return self._money(await budgets.lock(connection, now))

    def _money(self, caps: Sequence[Budget]) -> Money:
        """What may still be spent, by the budget that has the least left."""
        price = self._provider.price
        narrowest = min(caps, key=lambda budget: budget.left_usd, default=None)
        return Money(
            left_usd=narrowest.left_usd if narrowest else math.inf,
            spans=tuple((budget.name, budget.span) for budget in caps),
            price=price.in_tier("priority") if self._pays_priority else price,
            narrowest=narrowest,
        )

    async def commit(self, connection: Connection, money: Money, amounts: Iterable[float]) -> None:
        """Commit the amounts, the most that each of the permitted calls can cost, to all caps."""
        if money.narrowest is not None and (usd := math.fsum(amounts)):
            await budgets.commit_more(connection, dict.fromkeys(money.spans, usd))

    def replied(self, permit: Permit, cost_usd: float | None) -> None:
        """After a reply, give back what the call did not cost; nothing if its cost is unknown
        (None).
        """
        if cost_usd is not None:
            self._give_back(permit, permit.committed_usd - cost_usd)

    def failed(self, permit: Permit, error: ProviderError) -> None:
        """After an error, give back what the call did not cost; nothing if it may be billed
        nevertheless.
        """
        if (empty := reply_of(error)) is not None:
            self.replied(permit, reply_cost_usd(empty, self._provider.price))
        elif not (error.may_be_answered or isinstance(error, GenerationFailed)):
            self._give_back(permit, permit.committed_usd)

    def not_sent(self, permit: Permit) -> None:
        """Give back the money of a call that will not be sent."""
        self._give_back(permit, permit.committed_usd)

    def _give_back(self, permit: Permit, usd: float) -> None:
        for key in permit.spans:
            self._given_back[key] += usd
