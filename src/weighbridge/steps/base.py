"""What every step is: a question that can be put about a group, and a judgement of the reply.

`engine/` walks through the pipeline: `request()` makes the call that a provider answers, `accept()` sorts the
reply into answers to keep and products to ask again. Both are pure; nothing here waits, reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import Answer, StepName, Subject
    from weighbridge.domain.calls import CallReply, CallRequest
    from weighbridge.errors import AnswerError


@dataclass(frozen=True, slots=True)
class Refusal:
    """A product whose part of the reply cannot be used, and why. The message is fit for a person."""

    code: str
    error: AnswerError


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reply, sorted: every product of the group is in exactly one of the two."""

    answers: Mapping[str, Answer]  # by product code
    refusals: tuple[Refusal, ...]


class Step(Protocol):
    """One question of the pipeline."""

    name: StepName
    version: str
    """Changes with the prompt, the schema, the vocabulary, the rules, and the version of any needed step."""
    needs: tuple[StepName, ...]
    """The steps whose answers every `Subject` must carry before this one is asked."""
    output_tokens_per_product: int
    """What to allow for one product before any real output length has been seen."""

    def request(
        self, group: Sequence[Subject], max_output_tokens: int, image_url: str | None = None
    ) -> CallRequest:
        """The question about this group. Only `content` and the image differ between groups."""
        ...

    def accept(self, reply: CallReply, group: Sequence[Subject]) -> Accepted:
        """Sort the reply into answers and refusals. Never raises, whatever the reply says."""
        ...
