"""Accepted answers. They are the checkpoint: written with the call that they came from, and read
before a question is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from weighbridge.domain.results import AnswerProvenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.answers import StepName
    from weighbridge.store.database import Connection


class StoredAnswer(NamedTuple):
    """One row of the table; `answer` is its storage form."""

    product_id: int
    step: StepName
    question_fingerprint: str
    provenance: AnswerProvenance
    answer: Mapping[str, Any]
    cost_usd: float
    call_id: int | None = None  # None: its call is not stored yet
    content_key: str | None = None  # None: it answers for no other product


async def insert_answers(
    connection: Connection, answers: Sequence[tuple[int, StoredAnswer]]
) -> None:
    """Store new (call id, answer) pairs; of duplicates (from a late worker) the first is kept.

    All answers to one kind of question are inserted by one statement over arrays: that takes a
    fifth of the time of a statement for each, and sends what they have in common only once.
    """
    alike: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
    for call_id, a in answers:
        given = a.provenance
        kind = (
            a.step,
            given.step_version,
            given.simulated,
            given.provider,
            given.model,
            given.variant_of,
            given.without_picture,
            given.reused,
        )
        row = (
            call_id,
            a.product_id,
            a.question_fingerprint,
            a.answer,
            a.cost_usd,
            given.answered_at,
            a.content_key,
        )
        alike.setdefault(kind, []).append(row)
    for in_common, rows in alike.items():
        await connection.execute(
            "INSERT INTO answers (step, step_version, simulated, provider, model, variant_of, "
            "without_picture, reused, call_id, product_id, question_fingerprint, answer, cost_usd, "
            "answered_at, content_key) SELECT $1, $2, $3, $4, $5, $6, $7, $8, a.* FROM "
            "unnest($9::bigint[], $10::bigint[], $11::text[], $12::jsonb[], $13::float8[], "
            "$14::timestamptz[], $15::text[]) AS a ON CONFLICT DO NOTHING",
            *in_common,
            *zip(*rows, strict=True),
        )


async def load_answers(
    connection: Connection,
    fingerprint_of: Mapping[int, str],
    steps: Sequence[StepName],
    *,
    simulated: bool,
) -> dict[int, dict[tuple[StepName, str], StoredAnswer]]:
    """By product id, then by step and version: the answers about these products as they are now.

    `fingerprint_of`: product id → fingerprint of what would be asked about now. Answers to other
    steps than `steps` (those that only a newer program knows) are left out, and so are those of a
    real provider (where `simulated`) or of the simulator (where not).
    """
    rows = await connection.fetch(
        "SELECT product_id, step, step_version, question_fingerprint, simulated, provider, "
        "model, answer, cost_usd, answered_at, variant_of, without_picture, reused, call_id FROM answers "
        "WHERE product_id = ANY($1::bigint[]) AND simulated = $2 AND step = ANY($3::text[])",
        list(fingerprint_of),
        simulated,
        list(steps),
    )
    found: dict[int, dict[tuple[StepName, str], StoredAnswer]] = {}
    for row in rows:
        if fingerprint_of[row["product_id"]] == row["question_fingerprint"]:
            answer = StoredAnswer(
                product_id=row["product_id"],
                step=row["step"],
                question_fingerprint=row["question_fingerprint"],
                provenance=AnswerProvenance(
                    step_version=row["step_version"],
                    provider=row["provider"],
                    model=row["model"],
                    simulated=row["simulated"],
                    answered_at=row["answered_at"],
                    variant_of=row["variant_of"],
                    without_picture=row["without_picture"],
                    reused=row["reused"],
                ),
                answer=row["answer"],
                cost_usd=row["cost_usd"],
                call_id=row["call_id"],
            )
            found.setdefault(row["product_id"], {})[row["step"], row["step_version"]] = answer
    return found


async def answers_of(connection: Connection, product_id: int) -> list[dict[str, Any]]:
    """Every answer ever accepted for a product, newest first."""
    rows = await connection.fetch(
        "SELECT step, step_version, provider, model, simulated, answer, cost_usd, call_id, "
        "answered_at, variant_of FROM answers WHERE product_id = $1 ORDER BY answered_at DESC",
        product_id,
    )
    return [dict(row) for row in rows]
