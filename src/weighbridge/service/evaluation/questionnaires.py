"""Writes the questions about a catalogue to files, so that somebody else can answer them, and
checks the answers as those of a model are checked.

The question is the one that covers all steps, so each product is answered at once. A questionnaire
has the instructions and the schema once, and a line for every group of products.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.answers import Subject
from weighbridge.domain.calls import CallReply, FinishReason, Remaining, Usage
from weighbridge.domain.recordings import (
    RECORDED,
    AskedAbout,
    Recording,
    asked_about,
    read_recording,
)
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.decisions import USUAL
from weighbridge.ingest.isolation.reading import OpenCatalogue
from weighbridge.ingest.report import refuse_doubts
from weighbridge.planning.grouping import (
    GROUP_TOKENS,
    Ready,
    TokenBudget,
    group_products,
    product_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.domain.answers import Answer, StepName
    from weighbridge.domain.products import Product, RejectedRow
    from weighbridge.ingest.decisions import ReadOptions
    from weighbridge.steps import Question

_NO_ALLOWANCE: Final = 1
"""The output allowance in requests that are not sent, where it does not matter."""


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """Everything that is needed to answer the questions in place of a model."""

    version: str
    instructions: str
    schema: Mapping[str, Any]
    groups: tuple[tuple[str, tuple[Product, ...], str], ...]
    """For each question: its id, its products, and the text of the user message."""
    rejected: tuple[RejectedRow, ...] = ()
    """Rows of the catalogue that are no products, so nothing is asked about them."""


@dataclass(frozen=True, slots=True)
class ReadCatalogue:
    """The products of a catalogue without their pictures, and the rows that became none."""

    products: list[Product]
    rejected: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True)
class CheckedAnswers:
    """The accepted answers by product code and step; for other products why there is none."""

    answers: Mapping[str, Mapping[StepName, Answer]]
    refused: Mapping[str, str]


def write_questionnaire(
    path: Path, question: Question, options: ReadOptions = USUAL, *, model: str
) -> Questionnaire:
    """The questionnaire about the products of a catalogue, grouped as the queue would do it.

    Pictures are left out. `model` is the one whose tokens are counted. Raises InputError: the file
    cannot be used.
    """
    read = read_products(path, options)
    products = read.products
    ready = [Ready(n, product_tokens(one, model), False) for n, one in enumerate(products)]
    groups = []
    request = question.request([Subject(products[0])] if products else [], _NO_ALLOWANCE)
    for number, group in enumerate(group_products(ready, TokenBudget(GROUP_TOKENS)), start=1):
        members = tuple(products[product_id] for product_id in group.product_ids)
        content = question.request([Subject(one) for one in members], _NO_ALLOWANCE).content
        groups.append((f"Q-{number:04d}", members, content))
    return Questionnaire(
        question.version({}),
        request.instructions,
        request.schema,
        tuple(groups),
        read.rejected,
    )


def read_products(path: Path, options: ReadOptions = USUAL) -> ReadCatalogue:
    """The products of a catalogue, one for each code, and its rejected rows.

    Raises InputError: the file cannot be used, or only its owner can say how to read a column.
    """
    found: dict[str, Product] = {}
    rejected: list[RejectedRow] = []
    with OpenCatalogue(path, options) as catalogue:
        refuse_doubts(catalogue.head)
        for chunk in catalogue.chunks():
            rejected.extend(chunk.rejected)
            for product in chunk.iterate_products():
                found[product.code] = replace(
                    product, image_url=None, picture=None, more_pictures=()
                )
    return ReadCatalogue(list(found.values()), tuple(rejected))


def check_answers(
    questionnaire: Questionnaire, question: Question, replies: Mapping[str, str]
) -> CheckedAnswers:
    """Check replies, by the id of their question, as replies of a provider are checked."""
    answers: dict[str, Mapping[StepName, Answer]] = {}
    refused: dict[str, str] = {}
    for question_id, members, _ in questionnaire.groups:
        if question_id not in replies:
            refused |= {one.code: f"{question_id} has no reply" for one in members}
            continue
        reply = recorded_reply(replies[question_id])
        accepted = question.accept(reply, [Subject(one) for one in members])
        refused |= {refusal.code: str(refusal.error) for refusal in accepted.refusals}
        answers |= {code: found for code, found in accepted.answers.items() if code not in refused}
    return CheckedAnswers(answers, refused)


def recorded_reply(text: str) -> CallReply:
    """A provider's reply with this text that used no tokens and cost nothing."""
    return CallReply(text, FinishReason.STOP, Usage(0, 0), Remaining(), RECORDED)


def record(
    questionnaire: Questionnaire,
    question: Question,
    replies: Mapping[str, str],
    *,
    by: str,
    on: str,
) -> Recording:
    """A recording of the accepted answers in these replies, by whom (`by`) and when (`on`)."""
    accepted = check_answers(questionnaire, question, replies).answers
    given: dict[AskedAbout, Mapping[str, Any]] = {}
    for question_id, members, _ in questionnaire.groups:
        entries = json.loads(replies[question_id])["products"] if question_id in replies else []
        by_code = {entry["code"]: entry for entry in entries}
        for product in members:
            if product.code in accepted:
                answer = dict(by_code[product.code])
                del answer["code"]
                given[asked_about(product)] = answer
    return Recording(by, on, questionnaire.version, given)


def load_recording(path: Path) -> Recording:
    """The recording in a file. Raises UnreadableFile naming the file and the line."""
    try:
        return read_recording(path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            f"{path.name} is not a valid file of recorded answers: {error}."
        ) from error


def recorded_answers(
    recording: Recording, question: Question, products: Sequence[Product]
) -> CheckedAnswers:
    """The answers of a recording about these products, checked as a provider's replies are."""
    answers: dict[str, Mapping[StepName, Answer]] = {}
    refused: dict[str, str] = {}
    for product in products:
        entry = recording.answers.get(asked_about(product))
        if entry is None:
            refused[product.code] = "the recording has no answer about this product"
            continue
        text = json.dumps({"products": [{"code": product.code, **entry}]})
        accepted = question.accept(recorded_reply(text), [Subject(product)])
        answers |= accepted.answers if not accepted.refusals else {}
        refused |= {refusal.code: str(refusal.error) for refusal in accepted.refusals}
    return CheckedAnswers(answers, refused)


def read_replies(paths: Sequence[Path]) -> dict[str, str]:
    """The replies in JSONL files, by the id of their question.

    Each line is `{"id": "Q-0001", "reply": {…}}`; of several with the same id the last one counts.
    Raises UnreadableFile naming the file and the line.
    """
    replies: dict[str, str] = {}
    for path in paths:
        for number, line in _numbered_lines(path):
            try:
                entry = json.loads(line)
                reply = entry["reply"]
                replies[str(entry["id"])] = reply if isinstance(reply, str) else json.dumps(reply)
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableFile(
                    f'{path.name}, line {number} is not JSON of the form {{"id": …, "reply": …}}.'
                ) from error
    return replies


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) of each line that is not blank; raises UnreadableFile."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"{path.name} cannot be read as UTF-8 text: {error}. Save it as UTF-8."
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line
