"""The registered steps, in the order they are asked.

Code that concerns every step goes through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from weighbridge.errors import AnswerMalformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from weighbridge.domain.answers import Answer, StepName, Vocabulary
    from weighbridge.domain.products import Product
    from weighbridge.steps.base import Step
    from weighbridge.steps.shown import ShownField


class Steps:
    """Steps by name, in order. Later steps rest on the answers to earlier ones."""

    def __init__(self, steps: Iterable[type[Step[Any]]], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._by_name = {step.name: step for step in (made(vocabulary) for made in steps)}
        self.fields = fields_of([type(step) for step in self])

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the steps so that another process makes them anew."""
        return Steps, ([type(step) for step in self], self._vocabulary)

    def __iter__(self) -> Iterator[Step[Any]]:
        """The steps, in order."""
        return iter(self._by_name.values())

    @property
    def names(self) -> tuple[StepName, ...]:
        """The names of the steps, in order."""
        return tuple(self._by_name)

    def encode(self, answer: Answer) -> dict[str, Any]:
        """The answer as JSON-ready data. `decode` gives the same answer back."""
        return self._by_name[answer.step].encode(answer)

    def decode(self, name: StepName, data: Mapping[str, Any]) -> Answer:
        """The answer that `encode` wrote.

        Raises AnswerMalformed when the data is not such an answer: asking again mends it.
        """
        try:
            answer: Answer = self._by_name[name].decode(data)
        except (KeyError, TypeError, ValueError) as error:
            raise AnswerMalformed(
                f"A stored answer to step {name} cannot be read. Process the product again."
            ) from error
        return answer

    def for_sibling(self, answer: Answer, asked: Product, sibling: Product) -> Answer:
        """What the answer about `asked` says of a product of the same design.

        Raises AnswerError when it cannot be true of that.
        """
        adapted: Answer = self._by_name[answer.step].for_sibling(answer, asked, sibling)
        return adapted

    def shown(self, stored: Mapping[StepName, Mapping[str, Any]]) -> dict[str, Any]:
        """The values of all fields, by name, of stored answers; empty for steps without an answer.

        Raises AnswerMalformed as `decode` does.
        """
        values: dict[str, Any] = {}
        for name, step in self._by_name.items():
            answer = self.decode(name, stored[name]) if name in stored else None
            for field in step.fields:
                values[field.name] = field.empty if answer is None else field.value(answer)
        return values


def fields_of(steps: Sequence[type[Step[Any]]]) -> tuple[ShownField, ...]:
    """The fields of all these steps, in order."""
    return tuple(field for step in steps for field in step.fields)
