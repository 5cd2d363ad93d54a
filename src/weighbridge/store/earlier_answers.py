"""Answers that may be used again for the same text: those of other products, whatever their code,
and those of products that were deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weighbridge.domain.results import AnswerProvenance
from weighbridge.store.answers import StoredAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from weighbridge.domain.answers import StepName
    from weighbridge.store.database import Connection

LOOKED_AT: Final = 24
"""How many answers about products with one and the same text are read, at most: several products
may have that text, each with an answer to each step.
"""

Found = dict[tuple[Any, ...], StoredAnswer]
"""The answers of one product, by step and version."""


async def find(
    connection: Connection, keys: Sequence[str], steps: Sequence[StepName]
) -> dict[str, list[Found]]:
    """Key of a text → the answers about each product that had this text, the newest first."""
    rows = await connection.fetch(
        "SELECT found.* FROM unnest($1::text[]) AS wanted (key) CROSS JOIN LATERAL (SELECT "
        "content_key, product_id, step, step_version, simulated, provider, model, call_id, "
        "answer, answered_at, variant_of FROM answers a WHERE a.content_key = wanted.key AND "
        "without_picture IS NULL AND NOT EXISTS (SELECT FROM corrections c WHERE c.product_id = "
        "a.product_id AND c.withdrawn_at IS NULL) ORDER BY product_id LIMIT $2) AS found UNION ALL "
        "SELECT content_key, 0, step, step_version, simulated, provider, model, call_id, answer, "
        "answered_at, NULL FROM earlier_answers WHERE content_key = ANY($1::text[]) ORDER BY "
        "answered_at DESC",
        list(keys),
        LOOKED_AT,
    )
    by_product: dict[tuple[str, int], Found] = {}
    for row in rows:
        if row["step"] not in steps:
            continue
        provenance = AnswerProvenance(
            step_version=row["step_version"],
            provider=row["provider"],
            model=row["model"],
            simulated=row["simulated"],
            answered_at=row["answered_at"],
            variant_of=row["variant_of"],
            reused=True,
        )
        answer = StoredAnswer(
            product_id=row["product_id"],
            step=row["step"],
            question_fingerprint="",
            provenance=provenance,
            answer=row["answer"],
            cost_usd=0.0,
            call_id=row["call_id"],
            content_key=row["content_key"],
        )
        found = by_product.setdefault((row["content_key"], row["product_id"]), {})
        found[row["step"], row["step_version"]] = answer
    grouped: dict[str, list[Found]] = {}
    for (key, _), answers in by_product.items():
        grouped.setdefault(key, []).append(answers)
    return grouped


async def forget_of(connection: Connection, scope: UUID) -> None:
    """Let no product reuse the stored answers to the texts of this import's products."""
    await connection.execute(
        "WITH wanted AS (SELECT DISTINCT a.content_key AS key FROM scopes s JOIN answers a ON "
        "a.product_id = s.product_id WHERE s.import_id = $1 AND a.content_key IS NOT NULL), gone "
        "AS (DELETE FROM earlier_answers e USING wanted WHERE e.content_key = wanted.key) UPDATE "
        "answers a SET content_key = NULL FROM wanted WHERE a.content_key = wanted.key",
        scope,
        timeout=3_600.0,
    )


async def forget_all(connection: Connection) -> int:
    """Delete the answers of deleted products; returns how many answers."""
    tag = await connection.execute("DELETE FROM earlier_answers")
    return int(tag.split()[-1])


async def trim(connection: Connection, age: timedelta, most: int) -> int:
    """Delete up to `most` answers that have been kept for longer than `age`; returns how many."""
    tag = await connection.execute(
        "DELETE FROM earlier_answers WHERE ctid = ANY (ARRAY(SELECT ctid FROM earlier_answers "
        "WHERE kept_at < now() - $1::interval LIMIT $2))",
        age,
        most,
    )
    return int(tag.split()[-1])


async def reused_since(connection: Connection, since: Any) -> int:
    """How many products were completed at or after `since` with an earlier answer to the same
    text.
    """
    found: int = await connection.fetchval(
        "SELECT count(*) FROM products p WHERE p.status = 'completed' AND ($1::timestamptz IS "
        "NULL OR p.completed_at >= $1) AND p.id IN (SELECT product_id FROM answers WHERE reused)",
        since,
    )
    return found
