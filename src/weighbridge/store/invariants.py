"""What must be true of the database at any moment, as SQL: each rule finds the records that break
it.

All rules look at one snapshot, so concurrent changes cannot make them disagree. A product in the
middle of its steps breaks none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.jobs import DISPATCH_LOCK, ENTRYPOINT, jobs_table
from weighbridge.store.schema import MIGRATION_LOCK

if TYPE_CHECKING:
    from weighbridge.store.database import Connection

EXAMPLES: Final = 5
"""How many records that break a rule are shown."""
DEAD_AFTER_S: Final = 30
"""A job counts as dead after this long without a heartbeat; other workers take it over after a
third of this time.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """`sql` selects one line of text for each record that breaks the rule; `problem` says how it
    breaks it, `remedy` what to do.
    """

    name: str
    sql: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold: how many records break it, and some of them."""

    rule: Rule
    count: int
    examples: tuple[str, ...]


_FREED: Final = (
    "Run `weighbridge start`, which returns them to pending; a running worker does so by itself."
)
_REDO: Final = (
    "Run `weighbridge run FILE --redo` with a file of these products, which asks (and pays) for "
    "them again. Uploading them unchanged does not help."
)
_NOT_OURS: Final = (
    "Weighbridge never leaves the database so: a person or another program has changed it. Find out "
    "who, so that it does not happen again."
)
_NO_JOB: Final = (
    f"{_NOT_OURS} Run in psql: UPDATE products SET job_id = NULL WHERE status <> 'processing'"  # noqa: S608
)


_NOT_ADDED_UP: Final = """\
WITH sums AS (
    SELECT f.product_id, coalesce(r.kind, c ->> 'kind') = 'class reference' AS is_class,
        sum((c ->> 'emissions_kg_co2e')::float8) AS kg, bool_or(c ? 'rate' AND r.id IS NULL) AS is_unknown
    FROM footprints f CROSS JOIN LATERAL named_contributions(f.detail) AS c
    LEFT JOIN rates r ON r.id = (c ->> 'rate')::bigint GROUP BY 1, 2
), stated AS (
    SELECT f.product_id, route ->> 'name' = 'class figure' AS is_class,
        (route ->> 'emissions_kg_co2e')::float8 AS kg, (route ->> 'weight')::float8 AS weight
    FROM footprints f CROSS JOIN LATERAL jsonb_array_elements(f.detail #> '{footprint,routes}') AS route
    WHERE jsonb_array_length(f.detail #> '{footprint,routes}') > 0
    UNION ALL -- footprints from before there were routes
    SELECT f.product_id, false, f.emissions_kg_co2e, 1 FROM footprints f
    WHERE jsonb_array_length(coalesce(f.detail #> '{footprint,routes}', '[]')) = 0
), combined AS (
    SELECT product_id, CASE WHEN count(*) = 1 THEN max(kg) ELSE exp(sum(weight * ln(nullif(greatest(kg, 0), 0)))) END AS kg
    FROM stated WHERE weight > 0 GROUP BY 1
)
SELECT p.code FROM footprints f JOIN products p ON p.id = f.product_id
LEFT JOIN combined ON combined.product_id = f.product_id
CROSS JOIN LATERAL (
    SELECT (s ->> 'estimate_kg_co2e')::float8 AS estimate, (s ->> 'stated_kg_co2e')::float8 * (s ->> 'units')::float8 AS kg
    FROM (SELECT f.detail #> '{footprint,supplier}') AS stored (s)
) AS supplier
WHERE NOT coalesce(abs(combined.kg - coalesce(supplier.estimate, f.emissions_kg_co2e)) <= 1e-6 * greatest(1, abs(combined.kg)), false)
    OR NOT coalesce(abs(supplier.kg - f.emissions_kg_co2e) <= 1e-6 * greatest(1, abs(supplier.kg)), supplier.kg IS NULL)
    OR NOT f.low_kg_co2e <= f.emissions_kg_co2e OR NOT f.emissions_kg_co2e <= f.high_kg_co2e
    OR NOT f.mass_kg > 0
    OR EXISTS (
        SELECT FROM stated LEFT JOIN sums USING (product_id, is_class) WHERE stated.product_id = f.product_id
        AND NOT coalesce(abs(sums.kg - stated.kg) <= 1e-6 * greatest(1, abs(stated.kg)), false)
        AND NOT EXISTS (SELECT FROM sums AS s WHERE s.product_id = f.product_id AND s.is_unknown))"""
"""SQL that finds footprints that do not add up: each route is the sum of its contributions, and the
footprint the weighted geometric mean of the routes; where a supplier's figure is the footprint, the
routes give the estimate. The rate of a contribution tells which route it is of; where the rate is
missing, another rule complains.
"""


def rules(dead_after_s: float = DEAD_AFTER_S) -> tuple[Rule, ...]:
    """Every rule, the most harmful first."""
    return (*_rules_of_jobs(dead_after_s), *_rules_of_results(), *_rules_of_records())


def _rules_of_jobs(dead_after_s: float) -> tuple[Rule, ...]:
    """What must hold for locks, jobs and products in processing."""
    job = jobs_table()
    old = f"now() - interval '{dead_after_s} seconds'"
    return (
        Rule(
            "lock-without-a-living-holder",
            "SELECT 'session ' || a.pid || ' of ' || coalesce(nullif(a.application_name, ''), 'an unnamed program')"  # noqa: S608
            " || ' at ' || coalesce(a.client_addr::text, 'this host') || ', idle since ' || "
            "to_char(a.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' FROM "
            "pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' "
            "AND l.granted AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_database "
            "WHERE datname = current_database()) AND (l.classid::bigint << 32 | l.objid::bigint) "
            f"IN ({DISPATCH_LOCK}, {MIGRATION_LOCK}) AND a.state LIKE 'idle%' AND a.state_change "
            f"< {old}",
            "holding the dispatcher's or a migration's lock, and idle for long: the process is "
            "frozen or cut off, or a pooler has kept the session of a process that ended. No other "
            "process can dispatch or migrate",
            "End the session: SELECT pg_terminate_backend(NUMBER) in psql, as the same user. "
            "Behind a pooler use session mode.",
        ),
        Rule(
            "processing-without-job",
            "SELECT p.code FROM products p WHERE p.status = 'processing' AND NOT EXISTS"  # noqa: S608
            f" (SELECT FROM {job} j WHERE j.id = p.job_id AND j.status IN ('queued', 'picked'))",
            "in processing, but without a job",
            _FREED,
        ),
        Rule(
            "job-of-a-dead-worker",
            f"SELECT 'job ' || id FROM {job} WHERE entrypoint = '{ENTRYPOINT}' AND status = 'picked'"  # noqa: S608
            f" AND heartbeat < {old}",
            "without a heartbeat for a while, and not taken over by another worker",
            "Start `weighbridge run`, `serve` or `worker`: it finishes them without asking twice.",
        ),
        Rule(
            "job-without-products",
            f"SELECT 'job ' || j.id FROM {job} j WHERE j.entrypoint = '{ENTRYPOINT}' AND j.status <> 'picked'"  # noqa: S608
            f" AND j.updated < {old} AND NOT EXISTS (SELECT FROM products p WHERE p.job_id = j.id "
            "AND p.status = 'processing')",
            "without a product to ask about (each was changed or deleted meanwhile, or failed for a reason that was not stored)",
            "No action is needed: the next worker ends them at once, without a call.",
        ),
        Rule(
            "waiting-with-job",
            "SELECT code FROM products WHERE status <> 'processing' AND job_id IS NOT NULL",
            "with a job, although not in processing",
            _NO_JOB,
        ),
    )


def _rules_of_results() -> tuple[Rule, ...]:
    """What must hold between products, answers and footprints."""
    return (
        Rule(
            "completed-without-footprint",
            "SELECT p.code FROM products p LEFT JOIN footprints f ON f.product_id = p.id"
            " WHERE p.status = 'completed' AND f.product_id IS NULL",
            "completed, but without a footprint",
            _REDO,
        ),
        Rule(
            "completed-with-an-old-footprint",
            "SELECT p.code FROM products p JOIN footprints f ON f.product_id = p.id"
            " WHERE p.status = 'completed' AND f.revision <> p.revision",
            "completed, but with the footprint of an earlier version of the product",
            _REDO,
        ),
        Rule(
            "completed-without-answers",
            "SELECT p.code FROM products p JOIN footprints f ON f.product_id = p.id WHERE "
            "p.status = 'completed' AND EXISTS (SELECT FROM jsonb_each_text(f.detail -> "
            "'provenance' -> 'steps') AS asked (step, version) WHERE NOT f.detail -> 'answers' ? "
            "asked.step OR NOT EXISTS (SELECT FROM answers a WHERE a.product_id = p.id AND "
            "a.step = asked.step AND a.step_version = asked.version AND a.simulated = "
            "f.simulated))",
            "completed, but without a stored answer that the footprint rests on",
            _REDO,
        ),
        Rule(
            "footprint-does-not-add-up",
            _NOT_ADDED_UP,
            "with a footprint that does not follow from its contributions and routes, or lies outside its own range",
            _REDO,
        ),
        Rule(
            "contribution-without-source",
            "SELECT p.code FROM footprints f JOIN products p ON p.id = f.product_id WHERE EXISTS "
            "(SELECT FROM named_contributions(f.detail) AS c WHERE c ? 'rate' AND NOT EXISTS "
            "(SELECT FROM rates r WHERE r.id = (c ->> 'rate')::bigint))",
            "with a contribution whose factor and source are not stored",
            _REDO,
        ),
    )


def _rules_of_records() -> tuple[Rule, ...]:
    """What must hold for failures, calls and counters."""
    return (
        Rule(
            "failed-without-reason",
            "SELECT code FROM products WHERE status = 'failed' AND coalesce(error, '') = ''",
            "failed, but without a stored reason",
            "Run `weighbridge reset-failed`.",
        ),
        Rule(
            "answer-without-call",
            "SELECT p.code FROM answers a JOIN products p ON p.id = a.product_id"
            " WHERE a.call_id > (SELECT trimmed_up_to FROM retention_state)"
            " AND NOT EXISTS (SELECT FROM calls c WHERE c.id = a.call_id)",
            "with an answer whose call is not stored",
            f"{_NOT_OURS} The results are valid, but the tokens and cost of these calls are missing"
            " from the totals. Restore the rows of the table calls from a backup, or run"
            " `weighbridge run FILE --redo`.",
        ),
        Rule(
            "counts-disagree",
            "SELECT kept.status || ': ' || kept.n || ' kept, ' || coalesce(real.n, 0) || ' "
            "counted' FROM (SELECT coalesce(sum(pending), 0) AS pending, "
            "coalesce(sum(processing), 0) AS processing, coalesce(sum(completed), 0) AS "
            "completed, coalesce(sum(failed), 0) AS failed FROM product_count_changes) AS sums "
            "CROSS JOIN LATERAL (VALUES ('pending', sums.pending), ('processing', "
            "sums.processing), ('completed', sums.completed), ('failed', sums.failed)) AS kept "
            "(status, n) LEFT JOIN (SELECT status, count(*) AS n FROM products GROUP BY status) "
            "AS real USING (status) WHERE kept.n <> coalesce(real.n, 0)",
            "of the numbers shown as status, which differ from the numbers of stored products",
            "Stop every Weighbridge, DELETE FROM product_count_changes, and INSERT INTO it one "
            "row: the numbers of products that are pending, processing, completed and failed.",
        ),
    )


async def broken_rules(connection: Connection, dead_after_s: float = DEAD_AFTER_S) -> list[Broken]:
    """The rules that do not hold, in one snapshot.

    Reads every completed product: seconds for a million.
    """
    found = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for rule in rules(dead_after_s):
            rows = await connection.fetch(
                f"SELECT text, count(*) OVER () AS n FROM ({rule.sql}) AS broken (text) ORDER BY text LIMIT {EXAMPLES}",  # noqa: S608
                timeout=LONG_STATEMENT_S,
            )
            if rows:
                found.append(Broken(rule, rows[0]["n"], tuple(row["text"] for row in rows)))
    return found
