"""The products of a job while they are processed, with the answers that they already have."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.domain.answers import Answer, StepName, Subject
from weighbridge.domain.results import shown_in_part_reason
from weighbridge.errors import AnswerMalformed, CalculationError
from weighbridge.store import corrections
from weighbridge.store.answers import load_answers
from weighbridge.store.products import load_job_products

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.corrections import Correction
    from weighbridge.domain.results import AnswerProvenance
    from weighbridge.fetching.decoding import DecodedPicture
    from weighbridge.steps import Questions, Steps
    from weighbridge.store.answers import StoredAnswer
    from weighbridge.store.database import Connection
    from weighbridge.store.footprints import StoredFootprint
    from weighbridge.store.products import StoredProduct
    from weighbridge.weighing.weigh import Weigher


@dataclass(slots=True, eq=False)
class JobProduct:
    """A product of a job, with its valid answers and what is to be done differently for it."""

    stored: StoredProduct
    question_fingerprint: str
    answers: dict[StepName, Answer] = field(default_factory=dict)
    provenance: dict[StepName, AnswerProvenance] = field(default_factory=dict)  # of the answers
    call_ids: dict[StepName, int | None] = field(default_factory=dict)  # the calls that gave them
    borrowed: list[StoredAnswer] = field(default_factory=list)
    """Answers about another variant, to be stored as this product's own."""
    corrections: Sequence[Correction] = ()
    content_key: str | None = None
    """Key of the product's text, by which earlier answers are found; see `reusing.content_key`."""
    cost_usd: float = 0.0
    attempts: int = 0
    """Number of unusable answers in a row to the current question."""
    step_by_step: bool = False
    """Whether the questions are asked one at a time, because one call with all of them is too large
    even about this product alone.
    """
    time_factor: float = 1.0
    """What the time limit of a call about this product is multiplied by."""
    without_picture: str | None = None
    """Why the model gets only the text, although the product has a picture; None: it gets both."""
    fetched: dict[str, DecodedPicture] = field(default_factory=dict)
    """Address → picture of the product, fetched once for all questions."""
    missing_pictures: dict[str, str] = field(default_factory=dict)
    """Address of a picture that could not be fetched → why."""

    @property
    def id(self) -> int:
        """The product's number in the database."""
        return self.stored.id

    @property
    def code(self) -> str:
        """The product's code, by which answers name it."""
        return self.stored.product.code

    @property
    def versions(self) -> dict[StepName, str]:
        """The version of its question, for each answer that the product has."""
        return {step: given.step_version for step, given in self.provenance.items()}

    def pictures_lacking(self) -> str | None:
        """Which of its pictures the model did not get, and why; None if it got all."""
        if self.without_picture is not None or not self.missing_pictures:
            return self.without_picture
        several = len(self.stored.product.pictures)
        return shown_in_part_reason(several, [*self.missing_pictures.values()])

    def subject(self, doubted_unit: str | None = None) -> Subject:
        """The product as a question gets it. `doubted_unit` is a unit of mass that the model seems
        to confuse.
        """
        return Subject(self.stored.product, self.answers, doubted_unit)

    def forget(self) -> None:
        """Drop all answers that were kept."""
        for kept in (self.answers, self.provenance, self.call_ids):
            kept.clear()

    def keep(self, answer: Answer, provenance: AnswerProvenance, cost_usd: float) -> None:
        """Add an accepted answer with its provenance and cost."""
        self.answers[answer.step] = answer
        self.provenance[answer.step] = provenance
        self.cost_usd += cost_usd


async def load_groups(
    connection: Connection,
    job_ids: Sequence[int],
    questions: Questions,
    *,
    simulated: bool,
) -> list[list[JobProduct]]:
    """For each job, the products that still belong to it, with their answers that are still
    valid.
    """
    stored = await load_job_products(connection, job_ids)
    groups: dict[int | None, list[JobProduct]] = {job_id: [] for job_id in job_ids}
    for product in await with_answers(connection, stored, questions, simulated=simulated):
        groups[product.stored.job_id].append(product)
    return [groups[job_id] for job_id in job_ids]


async def with_answers(
    connection: Connection,
    stored: Sequence[StoredProduct],
    questions: Questions,
    *,
    simulated: bool,
) -> list[JobProduct]:
    """The products, each with its stored answers that are still valid and its corrections."""
    fingerprint_of = {s.id: s.product.question_fingerprint() for s in stored}
    found = await load_answers(
        connection, fingerprint_of, questions.steps.names, simulated=simulated
    )
    made = await corrections.active(connection, list(fingerprint_of))
    products = []
    for one in stored:
        product = JobProduct(one, fingerprint_of[one.id], attempts=one.attempts)
        product.corrections = made.get(one.id, ())
        keep_held(product, found.get(one.id, {}), questions)
        products.append(product)
    return products


def keep_held(
    product: JobProduct,
    stored: Mapping[tuple[StepName, str], StoredAnswer],
    questions: Questions,
) -> dict[StepName, Answer]:
    """Add those of the stored answers that are still valid; returns all answers of the product."""
    read = _read(stored, questions.steps)
    for held in questions.held(read).items():
        answer = stored[held]
        product.keep(read[held], answer.provenance, answer.cost_usd)
        product.call_ids[answer.step] = answer.call_id
    return product.answers


def weigh_group(
    weigher: Weigher, products: Sequence[JobProduct]
) -> tuple[list[StoredFootprint], dict[int, tuple[str, str]]]:
    """Compute the footprints of products about which all questions are answered.

    Returns the footprints, and for the products that have none (kind of error, reason) by id.
    """
    weighed: list[StoredFootprint] = []
    failed: dict[int, tuple[str, str]] = {}
    for product in products:
        cost_usd = product.cost_usd + product.stored.spent_usd
        try:
            weighed.append(
                weigher.weigh(
                    product.stored,
                    product.answers,
                    product.provenance,
                    product.corrections,
                    cost_usd,
                )
            )
        except CalculationError as error:
            failed[product.id] = (type(error).__name__, str(error))
    return weighed, failed


def _read(
    stored: Mapping[tuple[StepName, str], StoredAnswer], steps: Steps
) -> dict[tuple[StepName, str], Answer]:
    """The answers that this version can read; for the others the question is asked again."""
    read = {}
    for (step, version), answer in stored.items():
        with suppress(AnswerMalformed):
            read[step, version] = steps.decode(step, answer.answer)
    return read
