"""A catalogue becomes rows: staged by COPY as it is read, then merged with what is stored in one
transaction.

Called by `service/` with the checked chunks of `ingest/`. Nothing can be seen of an import until it
is complete: a file that turns out to be damaged at its end has changed nothing. Reading and
checking happen in a thread while the previous chunk travels to PostgreSQL, so the event loop stays
free.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID, uuid4

import asyncpg
import polars as pl

from weighbridge.domain.facts import WEIGHED_FACTS
from weighbridge.domain.products import Picture, ProductEvent, RejectedRow, RowNote
from weighbridge.store.database import LONG_STATEMENT_S
from weighbridge.store.transitions import may_happen, set_status

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Sequence,
    )

    from weighbridge.domain.calls import Lane
    from weighbridge.store.database import Connection

SHOWN_REJECTED: Final = 1_000
"""How many rejected rows, and how many notes on rows, the result of an import lists, at most."""
IMPORT_LOCK: Final = 0x57454947_494D504F
"""Advisory lock: merges happen one after the other, so that two uploads of a new code do not
collide.
"""

_MERGE_TRIES: Final = 3
"""How many times, at most, a merge that ends in a deadlock is tried."""
_PIECE_BYTES: Final = 1 << 18
"""How many bytes are handed to asyncpg at a time."""


class PictureSource(Protocol):
    """A checked picture whose bytes can be read when they are needed."""

    @property
    def picture(self) -> Picture:
        """The picture's hash, type and size."""
        ...

    def read(self) -> bytes:
        """The bytes; blocks."""
        ...


class ImportChunk(Protocol):
    """Some rows of a catalogue, checked (`ingest.checking.CheckedChunk`).

    `products` has the columns row_number, code, name, description, weight_kg, image_url,
    picture_sha256, more_pictures, country_of_origin, facts and notes (the last two and
    more_pictures are JSON); `notes` those of the table row_notes. `given` names which of weight_kg,
    image_url, country_of_origin and which facts the file has at all.
    """

    @property
    def products(self) -> pl.DataFrame:
        """The good rows."""
        ...

    @property
    def rejected(self) -> Sequence[RejectedRow]:
        """The rows that could not become products."""
        ...

    @property
    def given(self) -> frozenset[str]:
        """The optional columns that the file has."""
        ...

    @property
    def notes(self) -> pl.DataFrame:
        """Remarks on cells of good rows that were left out, or whose meaning is doubtful."""
        ...

    @property
    def pictures(self) -> Sequence[PictureSource]:
        """The pictures that picture_sha256 refers to."""
        ...


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did.

    `rejected` and `notes` are the first in file order; the store has all under `import_id`.
    """

    import_id: UUID
    created: int
    updated: int
    unchanged: int
    rejected_count: int
    rejected: tuple[RejectedRow, ...]
    noted_count: int = 0
    notes: tuple[RowNote, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were created, updated, left unchanged and rejected, by these words."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected_count,
        }


async def import_products(
    connection: Connection,
    chunks: Iterable[ImportChunk],
    *,
    scoped: bool = False,
    before_merge: Callable[[], None] = lambda: None,
    lane: Lane | None = None,
) -> ImportResult:
    """Merges a catalogue into the products. The chunks are drawn in a thread; what they raise goes
    to the caller.

    New codes are inserted in file order. A known code is updated only if something changed; if that
    was its name, description, weight, image, country or a fact that its figure depends on, it is
    pending again; where its question stayed the same, its footprint is computed again without a
    call. Columns that the file does not have, and pictures where the image cell is empty, stay as
    they are stored. A code that comes again in the file is rejected. `scoped` also records which
    products the file names (table scopes), for processing these only. `before_merge` is called when
    all rows are read; if it raises, nothing was changed. `lane` is how calls about these products
    are sent from now on; None: as before.
    """
    import_id = uuid4()
    try:
        await _create_staging(connection)
        given = await _stage(connection, chunks)
        before_merge()
        await connection.execute("ANALYZE pg_temp.import_rows", timeout=LONG_STATEMENT_S)
        created, updated, unchanged = await _merge_with_retries(
            connection, import_id, given, scoped, lane
        )
    finally:
        # What is left behind after a lost connection went with it, and the next import drops first.
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
            await _drop_staging(connection)
    count = await connection.fetchval(
        "SELECT count(*) FROM rejected_rows WHERE import_id = $1", import_id
    )
    noted = await connection.fetchval(
        "SELECT count(*) FROM row_notes WHERE import_id = $1", import_id
    )
    return ImportResult(
        import_id,
        created,
        updated,
        unchanged,
        count,
        tuple(await first_rejected(connection, import_id)),
        noted,
        tuple(await first_notes(connection, import_id)),
    )


async def first_rejected(
    connection: Connection, import_id: UUID, limit: int = SHOWN_REJECTED
) -> list[RejectedRow]:
    """The first rejected rows of an import, in file order."""
    rows = await connection.fetch(f"{_SELECT_REJECTED} LIMIT $2", import_id, limit)
    return [RejectedRow(*row) for row in rows]


async def stream_rejected(
    connection: Connection, import_id: UUID
) -> AsyncGenerator[RejectedRow, None]:
    """All rejected rows of an import, in file order, without holding them in memory."""
    async with connection.transaction():
        async for row in connection.cursor(_SELECT_REJECTED, import_id, prefetch=1_000):
            yield RejectedRow(*row)


async def first_notes(
    connection: Connection, import_id: UUID, limit: int = SHOWN_REJECTED
) -> list[RowNote]:
    """The first notes of an import, in file order."""
    rows = await connection.fetch(f"{_SELECT_NOTES} LIMIT $2", import_id, limit)
    return [RowNote(*row) for row in rows]


async def stream_notes(connection: Connection, import_id: UUID) -> AsyncGenerator[RowNote, None]:
    """All notes of an import, in file order, without holding them in memory."""
    async with connection.transaction():
        async for row in connection.cursor(_SELECT_NOTES, import_id, prefetch=1_000):
            yield RowNote(*row)


_REJECTED: Final = "row_number, field, reason, code, sheet, column_name"
_NOTES: Final = f"{_REJECTED}, found"
_SELECT_REJECTED: Final = (
    f"SELECT {_REJECTED} FROM rejected_rows WHERE import_id = $1 ORDER BY row_number, id"  # noqa: S608
)
_SELECT_NOTES: Final = (
    f"SELECT {_NOTES} FROM row_notes WHERE import_id = $1 ORDER BY row_number, id"  # noqa: S608
)


# Staging ------------------------------------------------------------------------------------------


async def _create_staging(connection: Connection) -> None:
    """Make temporary tables on this connection: not logged, not visible to anybody else."""
    await _drop_staging(connection)
    await connection.execute(
        """
        CREATE TEMP TABLE import_rows (
            row_number bigint NOT NULL, code text NOT NULL, name text NOT NULL, description text NOT NULL,
            weight_kg double precision, image_url text, picture_sha256 text, more_pictures jsonb, country_of_origin text,
            facts jsonb, notes jsonb
        );
        CREATE TEMP TABLE import_rejected (
            row_number bigint NOT NULL, field text NOT NULL, reason text NOT NULL, code text, sheet text, column_name text
        );
        CREATE TEMP TABLE import_notes (
            row_number bigint NOT NULL, field text NOT NULL, reason text NOT NULL, code text, sheet text, column_name text,
            found text
        );
        CREATE TEMP TABLE import_pictures (
            sha256 text PRIMARY KEY, media_type text NOT NULL, width_px integer NOT NULL, height_px integer NOT NULL,
            data bytea NOT NULL
        );
        """
    )


async def _drop_staging(connection: Connection) -> None:
    await connection.execute(
        "DROP TABLE IF EXISTS pg_temp.import_rows, pg_temp.import_rejected, pg_temp.import_notes, "
        "pg_temp.import_pictures"
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A chunk as COPY takes it."""

    products: bytes
    rejected: bytes
    notes: bytes
    pictures: Sequence[PictureSource]
    given: frozenset[str]


async def _stage(connection: Connection, chunks: Iterable[ImportChunk]) -> frozenset[str]:
    """Copy every chunk into the temporary tables; while one is copied, a thread prepares the next.

    Returns the optional columns that the file has.
    """
    iterator = iter(chunks)
    given: frozenset[str] = frozenset()
    next_chunk = asyncio.create_task(asyncio.to_thread(_prepare_next, iterator))
    try:
        while (prepared := await asyncio.shield(next_chunk)) is not None:
            next_chunk = asyncio.create_task(asyncio.to_thread(_prepare_next, iterator))
            given |= prepared.given
            await _copy(connection, "import_rows", prepared.products)
            await _copy(connection, "import_rejected", prepared.rejected)
            await _copy(connection, "import_notes", prepared.notes)
            for source in prepared.pictures:
                await _stage_picture(connection, source)
    finally:
        # A thread cannot be interrupted: wait for it, so that it does not read on behind our back.
        # The shield above keeps a cancellation from reaching the task, which would look finished
        # while its thread still runs.
        await asyncio.wait([next_chunk])
        if not next_chunk.cancelled():
            # mark as seen; the loop above has raised it unless something else came first
            next_chunk.exception()
        if isinstance(iterator, Generator):
            await asyncio.to_thread(iterator.close)  # lets go of the file
    return given


def _prepare_next(chunks: Iterator[ImportChunk]) -> _Prepared | None:
    """The next chunk as COPY takes it; None at the end."""
    chunk = next(chunks, None)
    if chunk is None:
        return None
    rejected = pl.DataFrame(
        [
            (row.row, row.field, row.reason, row.code, row.sheet, row.column)
            for row in chunk.rejected
        ],
        schema=_REJECTED_SCHEMA,
        orient="row",
    )
    return _Prepared(
        copy_text(chunk.products),
        copy_text(rejected),
        copy_text(chunk.notes),
        chunk.pictures,
        chunk.given,
    )


_REJECTED_SCHEMA: Final = {"row_number": pl.Int64} | dict.fromkeys(
    ("field", "reason", "code", "sheet", "column_name"), pl.String
)


def copy_text(frame: pl.DataFrame) -> bytes:
    """The rows in PostgreSQL's COPY text format.

    Not CSV: before PostgreSQL 18 a description with a line that is `\\.` would end a CSV copy.
    """
    escaped = frame.with_columns(
        pl.col(pl.String).str.replace_many(
            ["\\", "\t", "\n", "\r"], ["\\\\", "\\t", "\\n", "\\r"], leftmost=True
        )
    )
    text: str = escaped.write_csv(
        include_header=False, separator="\t", quote_style="never", null_value="\\N"
    )
    return text.encode()


async def _copy(connection: Connection, table: str, data: bytes) -> None:
    """Copy rows, in the text format of COPY, into a temporary table."""
    if data:
        await connection.copy_to_table(
            table,
            schema_name="pg_temp",
            source=_pieces(data),
            format="text",
            timeout=LONG_STATEMENT_S,
        )


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    """The data in pieces, with a pause after each in which the event loop does other work."""
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]
        await asyncio.sleep(0)  # asyncpg waits only when its buffer is full


async def _stage_picture(connection: Connection, source: PictureSource) -> None:
    """Copy the bytes of a picture that is not stored yet into the temporary table."""
    picture = source.picture
    known = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pictures WHERE sha256 = $1) OR EXISTS (SELECT FROM "
        "pg_temp.import_pictures WHERE sha256 = $1)",
        picture.sha256,
    )
    if not known:
        data = await asyncio.to_thread(source.read)
        await connection.execute(
            "INSERT INTO pg_temp.import_pictures VALUES ($1, $2, $3, $4, $5)",
            *(picture.sha256, picture.media_type, picture.width_px, picture.height_px, data),
        )


# Merging ------------------------------------------------------------------------------------------


async def _merge_with_retries(
    connection: Connection,
    import_id: UUID,
    given: frozenset[str],
    scoped: bool,
    lane: Lane | None,
) -> tuple[int, int, int]:
    """The counts of `_merge`, which is tried again after a deadlock: workers store answers
    meanwhile, and lock rows in an order of their own.
    """
    for last_try in (*(False,) * (_MERGE_TRIES - 1), True):
        try:
            async with connection.transaction():
                return await _merge(connection, import_id, given, scoped, lane)
        except asyncpg.DeadlockDetectedError:
            if last_try:
                raise
    raise AssertionError("the last try returns or raises")


async def _merge(
    connection: Connection,
    import_id: UUID,
    given: frozenset[str],
    scoped: bool,
    lane: Lane | None,
) -> tuple[int, int, int]:
    """Merge the temporary tables into the stored ones; returns how many products were created,
    updated and left alone.
    """
    await connection.execute("SET LOCAL work_mem = '64MB'")
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1)", IMPORT_LOCK, timeout=LONG_STATEMENT_S
    )
    await connection.execute(_REJECT_REPEATED, timeout=LONG_STATEMENT_S)
    await connection.execute(
        f"INSERT INTO rejected_rows (import_id, {_REJECTED})"  # noqa: S608
        f" SELECT $1, {_REJECTED} FROM pg_temp.import_rejected ORDER BY row_number",
        import_id,
        timeout=LONG_STATEMENT_S,
    )
    await connection.execute(
        f"INSERT INTO row_notes (import_id, {_NOTES})"  # noqa: S608
        f" SELECT $1, {_NOTES} FROM pg_temp.import_notes ORDER BY row_number",
        import_id,
        timeout=LONG_STATEMENT_S,
    )
    await connection.execute(
        "INSERT INTO pictures (sha256, media_type, width_px, height_px, data)"
        " SELECT * FROM pg_temp.import_pictures ON CONFLICT DO NOTHING",
        timeout=LONG_STATEMENT_S,
    )
    total = await connection.fetchval("SELECT count(*) FROM pg_temp.import_rows")
    updated = _rows_changed(await connection.execute(_update_sql(given), timeout=LONG_STATEMENT_S))
    updated += _rows_changed(
        await connection.execute(_update_other_facts_sql(given), timeout=LONG_STATEMENT_S)
    )
    await connection.execute(_NEW_NOTES, timeout=LONG_STATEMENT_S)
    created = _rows_changed(await connection.execute(_INSERT_NEW, timeout=LONG_STATEMENT_S))
    if lane is not None:
        await connection.execute(_CHANGE_LANE, lane.value, timeout=LONG_STATEMENT_S)
    if scoped:
        await connection.execute(
            "INSERT INTO scopes (import_id, product_id) SELECT $1, p.id"
            " FROM pg_temp.import_rows s JOIN products p USING (code)",
            import_id,
            timeout=LONG_STATEMENT_S,
        )
    return created, updated, total - updated - created


def _rows_changed(tag: str) -> int:
    """The number at the end of a command tag such as "UPDATE 12"."""
    return int(tag.rpartition(" ")[2])


_CHANGE_LANE: Final = """
    WITH other AS MATERIALIZED (
        SELECT p.id FROM pg_temp.import_rows s JOIN products p USING (code)
        WHERE p.lane <> $1 ORDER BY p.id FOR NO KEY UPDATE OF p
    )
    UPDATE products p SET lane = $1, unanswered_batches = 0 FROM other WHERE p.id = other.id
"""

_REJECT_REPEATED: Final = """
    WITH first AS (
        SELECT code, min(row_number) AS row_number FROM pg_temp.import_rows GROUP BY code HAVING count(*) > 1
    ), repeated AS (
        DELETE FROM pg_temp.import_rows r USING first
        WHERE r.code = first.code AND r.row_number > first.row_number
        RETURNING r.row_number, r.code, first.row_number AS first_row
    )
    INSERT INTO pg_temp.import_rejected (row_number, field, reason, code)
    SELECT row_number, 'code',
        format('"%s" is the code of row %s too, which was taken; give each product a code of its own', left(code, 60), first_row),
        code
    FROM repeated
"""

_INSERT_NEW: Final = """
    INSERT INTO products (code, name, description, weight_kg, image_url, picture_sha256, more_pictures, country_of_origin, facts, notes)
    SELECT s.code, s.name, s.description, s.weight_kg, s.image_url, s.picture_sha256,
        coalesce(s.more_pictures, '[]'), s.country_of_origin, coalesce(s.facts, '{}'), coalesce(jsonb_strip_nulls(s.notes), '[]')
    FROM pg_temp.import_rows s
    WHERE NOT EXISTS (SELECT FROM products p WHERE p.code = s.code)
    ORDER BY s.row_number
"""

# An empty image cell takes away an address, but never a picture that we hold: it may have been
# uploaded by itself.
_NEW_PICTURE: Final = (
    "CASE WHEN s.image_url IS NULL THEN coalesce(s.picture_sha256, p.picture_sha256) END"
)


def _update_sql(given: frozenset[str]) -> str:
    """SQL that updates the products whose name, description or other given columns have changed,
    and queues them again. Rows are locked in order of id, as everywhere.
    """
    new = {"name": "s.name", "description": "s.description"}
    if "weight_kg" in given:
        new["weight_kg"] = "s.weight_kg"
    if "country_of_origin" in given:
        new["country_of_origin"] = "s.country_of_origin"
    if "image_url" in given:
        new["picture_sha256"] = _NEW_PICTURE
        new["image_url"] = "s.image_url"
        new["more_pictures"] = "coalesce(s.more_pictures, '[]')"
    facts = _new_facts_sql(given)
    stored, wanted = [f"p.{column}" for column in new], [*new.values()]
    if facts != "p.facts":
        stored.append(_weighed_facts_sql("p.facts"))
        wanted.append(_weighed_facts_sql(facts))
    assignments = ", ".join(f"{column} = {value}" for column, value in new.items())
    return f"""
        WITH changed AS MATERIALIZED (
            SELECT p.id FROM pg_temp.import_rows s JOIN products p USING (code)
            WHERE ({", ".join(stored)}) IS DISTINCT FROM ({", ".join(wanted)})
            AND {may_happen(ProductEvent.CHANGED, "p")}
            ORDER BY p.id FOR UPDATE OF p
        )
        UPDATE products p SET {assignments}, facts = {facts},
            revision = p.revision + 1, {set_status(ProductEvent.CHANGED)}, attempts = 0, alone = false,
            error_kind = NULL, error = NULL, job_id = NULL, completed_at = NULL, updated_at = now()
        FROM pg_temp.import_rows s, changed
        WHERE changed.id = p.id AND s.code = p.code
    """  # noqa: S608


def _new_facts_sql(given: frozenset[str]) -> str:
    """SQL for the stored facts with those of the file in their place; facts that the file has no
    column for stay.
    """
    names = sorted(given - {"weight_kg", "image_url", "country_of_origin"})
    if not names:
        return "p.facts"
    return f"(p.facts - '{{{','.join(names)}}}'::text[] || coalesce(s.facts, '{{}}'))"


def _weighed_facts_sql(facts: str) -> str:
    """SQL for those of the facts that a footprint depends on."""
    names = "', '".join(WEIGHED_FACTS)
    return (
        f"(SELECT jsonb_object_agg(key, value) FROM jsonb_each({facts}) WHERE key IN ('{names}'))"  # noqa: S608
    )


def _update_other_facts_sql(given: frozenset[str]) -> str:
    """SQL that updates the facts that no figure depends on (prices, quantities): nothing is asked
    or computed again.
    """
    facts = _new_facts_sql(given)
    if facts == "p.facts":  # the file has no such column: a statement that changes nothing
        return "UPDATE products SET facts = facts WHERE false"
    return f"""
        WITH changed AS MATERIALIZED (
            SELECT p.id FROM pg_temp.import_rows s JOIN products p USING (code)
            WHERE p.facts IS DISTINCT FROM {facts} ORDER BY p.id FOR UPDATE OF p
        )
        UPDATE products p SET facts = {facts}, updated_at = now()
        FROM pg_temp.import_rows s, changed WHERE changed.id = p.id AND s.code = p.code
    """  # noqa: S608


_NEW_NOTES: Final = """
    WITH changed AS MATERIALIZED (
        SELECT p.id FROM pg_temp.import_rows s JOIN products p USING (code)
        WHERE p.notes IS DISTINCT FROM coalesce(jsonb_strip_nulls(s.notes), '[]') ORDER BY p.id FOR UPDATE OF p
    )
    UPDATE products p SET notes = coalesce(jsonb_strip_nulls(s.notes), '[]')
    FROM pg_temp.import_rows s, changed WHERE changed.id = p.id AND s.code = p.code
"""
"""SQL that replaces the notes of products, which are about the last file that named the product and
change no result.
"""
