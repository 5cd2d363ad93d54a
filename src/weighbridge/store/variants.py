"""Variants: products that wait for another of their design, and get its answers.

`products.variant_of` names the product that the model is asked about instead of this one. While
this one is

    pending     waits until that product is completed; nobody takes it from the queue
    processing  a job gives it the answers of that product, without a call
    completed   it got them; NULL where it was asked itself
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.domain.products import ProductEvent
from weighbridge.store.jobs import enqueue_jobs
from weighbridge.store.products import COLUMNS, StoredProduct, mark_processing, stored_product
from weighbridge.store.transitions import may_happen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.store.database import Connection

CANDIDATES: Final = 8
"""How many products of a design are looked at. They differ in weight or picture; more than a few
are rare.
"""
WOKEN_AT_ONCE: Final = 2_000
"""How many waiting products are queued at once when the product that they waited for is recorded;
the dispatcher queues the rest.
"""
JOB_SIZE: Final = 5
"""How many variants share a job. It is the size of a group that is asked together: where their
answers cannot be taken over and the model must be asked, the job is one call.
"""


async def candidates(connection: Connection, designs: Sequence[str]) -> list[StoredProduct]:
    """The products of these designs about which the model was or is being asked; those of one
    design in order of id.
    """
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM unnest($1::text[]) AS wanted (design)"  # noqa: S608
        " CROSS JOIN LATERAL (SELECT * FROM products c WHERE c.design = wanted.design AND "
        f"c.variant_of IS NULL AND c.status <> 'pending' ORDER BY c.id LIMIT {CANDIDATES}) AS p "
        "LEFT JOIN pictures pic ON pic.sha256 = p.picture_sha256",
        list(designs),
    )
    return [stored_product(row) for row in rows]


async def assign(
    connection: Connection, design_of: Mapping[int, str], variant_of: Mapping[int, int]
) -> None:
    """Store the design of each product and, where the model is asked about another one instead, the
    id of that.
    """
    ids = list(design_of)
    await connection.execute(
        "UPDATE products p SET design = a.design, variant_of = a.variant_of"
        " FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS a (id, design, variant_of) WHERE "
        "p.id = a.id",
        ids,
        [design_of[each] for each in ids],
        [variant_of.get(each) for each in ids],
    )


async def enqueue_waiting(connection: Connection, completed: Sequence[int]) -> None:
    """Make jobs of the products that waited for the answers about these, now completed, ones."""
    rows = await connection.fetch(
        "SELECT id, image_url IS NOT NULL OR picture_sha256 IS NOT NULL AS has_image FROM products p"  # noqa: S608
        f" WHERE variant_of = ANY($1::bigint[]) AND {may_happen(ProductEvent.ENQUEUED, 'p')}"
        f" ORDER BY id LIMIT {WOKEN_AT_ONCE} FOR NO KEY UPDATE SKIP LOCKED",
        completed,
    )
    alone = [[row["id"]] for row in rows if row["has_image"]]
    shared = [row["id"] for row in rows if not row["has_image"]]
    groups = alone + [shared[at : at + JOB_SIZE] for at in range(0, len(shared), JOB_SIZE)]
    job_ids = await enqueue_jobs(connection, len(groups), priority=1)
    job_of = {
        product_id: job_id
        for group, job_id in zip(groups, job_ids, strict=True)
        for product_id in group
    }
    if job_of:
        await mark_processing(connection, job_of)


async def free_waiting_for(connection: Connection, failed: Sequence[int]) -> None:
    """Let the model be asked about the products that waited for the answers about these failed
    ones.
    """
    await connection.execute(
        "UPDATE products SET variant_of = NULL WHERE variant_of = ANY($1::bigint[]) AND status = "
        "'pending'",
        failed,
    )


async def free_stranded(connection: Connection) -> int:
    """Let variants that wait for the answers of another product be asked about themselves, where
    nobody works on that other product; returns how many.

    It was changed, deleted or returned to `pending`, or was completed in the very moment in which
    they began to wait.
    """
    tag = await connection.execute(
        "WITH stranded AS (SELECT w.id FROM products w WHERE w.status = 'pending' AND "
        "w.variant_of IS NOT NULL AND NOT EXISTS (SELECT FROM products asked WHERE asked.id = "
        "w.variant_of AND asked.status = 'processing') ORDER BY w.id FOR NO KEY UPDATE OF w SKIP "
        "LOCKED) UPDATE products p SET variant_of = NULL FROM stranded WHERE p.id = stranded.id"
    )
    return int(tag.split()[-1])
