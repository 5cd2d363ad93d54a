"""Short ways to say what the engine decides about: products of a job, prepared calls, permits."""

from __future__ import annotations

from tests.support.vocabulary import small_vocabulary
from weighbridge.domain.calls import Cost
from weighbridge.domain.products import ProcessingStatus, Product
from weighbridge.engine.jobs.job_products import JobProduct
from weighbridge.engine.quota.permits import Permit, PermitRequest, PreparedCall
from weighbridge.limits.limiter import Reservation
from weighbridge.steps import build_questions
from weighbridge.store.products import StoredProduct

QUESTIONS = build_questions(small_vocabulary())


class NoAllowance:
    """Allows nothing for answers: a call costs what its prompt does."""

    def allowance(self, step: str, group_size: int, attempts: int = 0) -> int:
        """Nothing."""
        return 0


def prepared_call(tokens: int) -> PreparedCall:
    """A call with a prompt of so many tokens."""
    question = QUESTIONS.alone[0]
    return PreparedCall(question, question.request([], 0), tokens)


def permit_request(job_id: int, tokens: int, steps_left: int = 1) -> PermitRequest:
    """Asks for a permit for a call of so many tokens."""
    return PermitRequest(job_id, prepared_call(tokens), steps_left=steps_left)


def permit(tokens: int, at_s: float, slot: int, began_s: float = 0.0) -> Permit:
    """One that was given at `at_s` of the limiter's time."""
    reservation = Reservation(at_s, Cost(1, tokens), slot, at_s)
    return Permit(prepared_call(tokens), reservation, 0, 0.0, False, began_s)


def job_product(product_id: int, code: str, attempts: int = 0) -> JobProduct:
    """A product of job 1."""
    stored = StoredProduct(
        id=product_id,
        product=Product(code, "Chair", "A wooden chair"),
        revision=1,
        attempts=attempts,
        alone=False,
        job_id=1,
        spent_usd=0.0,
        status=ProcessingStatus.PROCESSING,
    )
    return JobProduct(stored, "fingerprint", attempts=attempts)
