"""The products of a job on their way through the steps, with the answers they already have."""

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
    """A product of the job's group."""

    stored: StoredProduct
    question_fingerprint: str
    answers: dict[StepName, Answer] = field(default_factory=dict)
    provenance: dict[StepName, AnswerProvenance] = field(default_factory=dict)  # of the answers
    call_ids: dict[StepName, int | None] = field(default_factory=dict)  # the calls that gave them
    borrowed: list[StoredAnswer] = field(default_factory=list)
    """Answers about another variant, to be stored as this product's own."""
    corrections: Sequence[Correction] = ()
    content_key: str | None = None
    """By which its answers are found for the same text; see `reusing.content_key`."""
    cost_usd: float = 0.0
    attempts: int = 0
    """Unusable answers in a row to the current question."""
    step_by_step: bool = False
    """Whether one call with all questions is too large, even about this product alone."""
    time_factor: float = 1.0
    """Factor by which a call about this product may take longer than usual."""
    without_picture: str | None = None
    """Why the model gets the text alone, although the product has a picture."""
    fetched: dict[str, DecodedPicture] = field(default_factory=dict)
    """The product's pictures by address, fetched once for all questions."""
    missing_pictures: dict[str, str] = field(default_factory=dict)
    """Why some of the pictures could not be fetched, by address."""

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
        """The version of the question that each answer was given to."""
        return {step: given.step_version for step, given in self.provenance.items()}

    def pictures_lacking(self) -> str | None:
        """What the model was not shown of its pictures, and why."""
        if self.without_picture is not None or not self.missing_pictures:
            return self.without_picture
        several = len(self.stored.product.pictures)
        return shown_in_part_reason(several, [*self.missing_pictures.values()])

    def subject(self, doubted_unit: str | None = None) -> Subject:
        """As a step sees it."""
        return Subject(self.stored.product, self.answers, doubted_unit)

    def forget(self) -> None:
        """What was kept is not enough after all."""
        for kept in (self.answers, self.provenance, self.call_ids):
            kept.clear()

    def keep(self, answer: Answer, provenance: AnswerProvenance, cost_usd: float) -> None:
        """Note an accepted answer with where it came from: the two never part."""
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
    """The products that still belong to each job, with every answer that still holds."""
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
    """The products, each with every answer of it that still holds."""
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
    """Give the product those of the stored answers that still hold; returns what it has then."""
    read = _read(stored, questions.steps)
    for held in questions.held(read).items():
        answer = stored[held]
        product.keep(read[held], answer.provenance, answer.cost_usd)
        product.call_ids[answer.step] = answer.call_id
    return product.answers


def weigh_group(
    weigher: Weigher, products: Sequence[JobProduct]
) -> tuple[list[StoredFootprint], dict[int, tuple[str, str]]]:
    """The footprints of completely answered products, and (kind of error, reason) by product id of
    those without.
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
    """The answers that can be read; an answer in another form is left out, and the question asked
    again.
    """
    read = {}
    for (step, version), answer in stored.items():
        with suppress(AnswerMalformed):
            read[step, version] = steps.decode(step, answer.answer)
    return read
