"""Accepted answers: the checkpoint. Written with the call that they came from, read before asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.domain.answers import StepName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.store.database import Connection


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One answer as it lies in the table; `answer` is its storage form."""

    product_id: int
    step: StepName
    step_version: str
    question_fingerprint: str
    simulated: bool
    provider: str
    model: str
    answer: Mapping[str, Any]
    cost_usd: float


async def insert_answers(
    connection: Connection, answers: Sequence[tuple[int, StoredAnswer]]
) -> None:
    """Keep what is new of (call id, answer); an answer that came twice (a late worker) is the first one's.

    One statement over arrays: a row costs a fifth of what it costs as a statement of its own.
    """
    if not answers:
        return
    await connection.execute(
        "INSERT INTO answers (call_id, product_id, step, step_version, question_fingerprint, simulated, provider, model,"
        " answer, cost_usd) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],"
        " $6::boolean[], $7::text[], $8::text[], $9::jsonb[], $10::float8[]) ON CONFLICT DO NOTHING",
        *zip(
            *(
                (
                    call_id,
                    a.product_id,
                    a.step.value,
                    a.step_version,
                    a.question_fingerprint,
                    a.simulated,
                    a.provider,
                    a.model,
                    a.answer,
                    a.cost_usd,
                )
                for call_id, a in answers
            ),
            strict=True,
        ),
    )


async def load_answers(
    connection: Connection,
    fingerprint_of: Mapping[int, str],
    *,
    simulated: bool,
) -> dict[int, dict[tuple[StepName, str], StoredAnswer]]:
    """By product, step and step version: what was answered about the product as it is, by this kind of provider.

    `fingerprint_of`: product id → fingerprint of what would be asked about now. Answers to steps that only a newer
    program knows are left out.
    """
    rows = await connection.fetch(
        "SELECT product_id, step, step_version, question_fingerprint, simulated, provider, model, answer, cost_usd"
        " FROM answers WHERE product_id = ANY($1::bigint[]) AND simulated = $2 AND step = ANY($3::text[])",
        list(fingerprint_of),
        simulated,
        list(StepName),
    )
    found: dict[int, dict[tuple[StepName, str], StoredAnswer]] = {}
    for row in rows:
        if fingerprint_of[row["product_id"]] == row["question_fingerprint"]:
            answer = StoredAnswer(**{**dict(row), "step": StepName(row["step"])})
            found.setdefault(row["product_id"], {})[answer.step, answer.step_version] = answer
    return found


async def answers_of(connection: Connection, product_id: int) -> list[dict[str, Any]]:
    """Every answer ever accepted for a product, newest first."""
    rows = await connection.fetch(
        "SELECT step, step_version, provider, model, simulated, answer, cost_usd, call_id, answered_at"
        " FROM answers WHERE product_id = $1 ORDER BY answered_at DESC",
        product_id,
    )
    return [dict(row) for row in rows]
