"""Catalogues into the real database: what is created, changed, left alone and rejected."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import (
    picture_bytes,
    write_csv,
    write_json,
    write_jsonl,
    write_parquet,
    write_text,
)
from weighbridge.domain.products import RejectedRow
from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.catalogue import check_records, read_catalogue
from weighbridge.store.imports import (
    ImportResult,
    copy_text,
    first_rejected,
    import_products,
    stream_rejected,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from weighbridge.ingest.checking.chunks import CheckedChunk

    Connection = asyncpg.Connection[Any]

pytestmark = pytest.mark.anyio

CHAIR: dict[str, object] = {
    "code": "A",
    "name": "Chair",
    "description": "A wooden chair",
    "weight": 5,
    "imageUrl": "https://example.com/a.png",
    "countryOfOrigin": "DE",
}
TABLE = CHAIR | {"code": "B", "name": "Table"}


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def put(connection: Connection, *records: object) -> ImportResult:
    return await import_products(connection, check_records(records))


async def stored(connection: Connection, code: str = "A") -> dict[str, Any]:
    row = await connection.fetchrow("SELECT * FROM products WHERE code = $1", code)
    assert row is not None
    return dict(row)


async def test_further_pictures_are_stored_and_a_change_of_one_asks_again(
    connection: Connection,
) -> None:
    urls = [f"https://example.com/{n}.png" for n in range(3)]
    several = CHAIR | {"imageUrl": urls}
    await put(connection, several)
    first = await stored(connection)
    assert first["image_url"] == "https://example.com/0.png"
    further = [{"url": f"https://example.com/{n}.png"} for n in (1, 2)]
    assert json.loads(first["more_pictures"]) == further
    await put(connection, several)
    assert (await stored(connection))["revision"] == first["revision"]
    await put(connection, several | {"imageUrl": urls[:2]})
    after = await stored(connection)
    assert json.loads(after["more_pictures"]) == further[:1]
    assert after["revision"] == first["revision"] + 1
    await put(connection, {name: several[name] for name in ("code", "name", "description")})
    assert json.loads((await stored(connection))["more_pictures"]) == further[:1]
    await put(connection, CHAIR)
    assert json.loads((await stored(connection))["more_pictures"]) == []


async def counts(connection: Connection) -> tuple[int, int, int]:
    """Rows in products, rejected_rows and pictures."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM rejected_rows),"
        " (SELECT count(*) FROM pictures)"
    )
    assert row is not None
    return row[0], row[1], row[2]


async def mark_completed(connection: Connection, code: str = "A") -> None:
    await connection.execute(
        "UPDATE products SET status = 'completed', completed_at = now(), attempts = 2, alone = "
        "true, error = 'old', error_kind = 'Old', job_id = 7 WHERE code = $1",
        code,
    )


async def test_new_products_are_created_in_file_order(connection: Connection) -> None:
    result = await put(connection, *(CHAIR | {"code": code} for code in ("Z", "M", "A")))
    assert (result.created, result.updated, result.unchanged) == (3, 0, 0)
    codes = await connection.fetch("SELECT code FROM products ORDER BY id")
    assert [row["code"] for row in codes] == ["Z", "M", "A"]
    row = await stored(connection)
    assert (row["name"], row["weight_kg"], row["country_of_origin"]) == ("Chair", 5.0, "DE")
    assert (row["status"], row["revision"], row["attempts"]) == ("pending", 1, 0)


async def test_reimporting_the_same_catalogue_changes_nothing(connection: Connection) -> None:
    await put(connection, CHAIR, TABLE)
    await mark_completed(connection)
    before = [dict(row) for row in await connection.fetch("SELECT xmin, * FROM products")]
    result = await put(connection, CHAIR, TABLE)
    assert (result.created, result.updated, result.unchanged) == (0, 0, 2)
    after = [dict(row) for row in await connection.fetch("SELECT xmin, * FROM products")]
    assert after == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Stool"),
        ("description", "Another"),
        ("weight", 5.5),
        ("weight", None),
        ("imageUrl", "https://example.com/b.png"),
        ("imageUrl", None),
        ("countryOfOrigin", "FR"),
        ("countryOfOrigin", None),
    ],
)
async def test_any_change_that_affects_the_result_makes_a_product_pending(
    connection: Connection, field: str, value: object
) -> None:
    await put(connection, CHAIR, TABLE)
    await mark_completed(connection)
    untouched = await stored(connection, "B")
    result = await put(connection, CHAIR | {field: value}, TABLE)
    assert (result.created, result.updated, result.unchanged) == (0, 1, 1)
    row = await stored(connection)
    assert (row["status"], row["revision"], row["attempts"], row["alone"]) == (
        "pending",
        2,
        0,
        False,
    )
    assert (row["error"], row["error_kind"], row["job_id"], row["completed_at"]) == (None,) * 4
    assert await stored(connection, "B") == untouched


async def test_a_missing_column_keeps_stored_values(connection: Connection) -> None:
    await put(connection, CHAIR)
    short = {name: CHAIR[name] for name in ("code", "name", "description")}
    result = await put(connection, short)
    assert result.unchanged == 1
    assert (await stored(connection))["weight_kg"] == 5.0


async def test_reimporting_keeps_an_uploaded_picture(connection: Connection) -> None:
    bare = CHAIR | {"imageUrl": None}
    await put(connection, bare)
    await connection.execute("INSERT INTO pictures VALUES ('abc', 'image/png', 1, 1, '\\x00')")
    await connection.execute("UPDATE products SET picture_sha256 = 'abc'")
    assert (await put(connection, bare)).unchanged == 1
    assert (await stored(connection))["picture_sha256"] == "abc"
    assert (await put(connection, CHAIR)).updated == 1
    row = await stored(connection)
    assert (row["picture_sha256"], row["image_url"]) == (None, CHAIR["imageUrl"])


async def test_the_second_of_two_equal_codes_is_rejected_with_the_row_of_the_first(
    connection: Connection,
) -> None:
    result = await put(
        connection, CHAIR, TABLE, CHAIR | {"name": "Impostor"}, CHAIR | {"code": ""}, CHAIR
    )
    assert (result.created, result.rejected_count) == (2, 3)
    assert [(row.row, row.field, row.code) for row in result.rejected] == [
        (3, "code", "A"),
        (4, "code", None),
        (5, "code", "A"),
    ]
    assert 'row 1 has the same code "A"' in result.rejected[0].reason
    assert (await stored(connection))["name"] == "Chair"


async def test_codes_are_case_and_space_sensitive(connection: Connection) -> None:
    result = await put(connection, *(CHAIR | {"code": c} for c in ("a", "A", "A 1", "A  1", " a ")))
    assert (result.created, result.rejected_count) == (4, 1)


async def test_a_file_damaged_later_on_changes_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    good = '{"code": "%d", "name": "", "description": "d"}'
    text = "[" + ",".join(good % i for i in range(45_000)) + ",oops"
    path = write_text(tmp_path / "a.json", text.replace('""', '"n"', 30_000))
    with pytest.raises(UnreadableFile, match="record 45,001"):
        await import_products(connection, read_catalogue(path))
    assert await counts(connection) == (0, 0, 0)
    assert (await put(connection, CHAIR)).created == 1


async def test_all_rejected_rows_are_kept_and_the_first_thousand_shown(
    connection: Connection,
) -> None:
    records = [CHAIR | {"code": f"C{i}", "name": ""} for i in range(1_500)]
    other = await put(connection, CHAIR | {"code": ""})
    result = await put(connection, *records)
    assert (result.rejected_count, len(result.rejected)) == (1_500, 1_000)
    rows = [row async for row in stream_rejected(connection, result.import_id)]
    assert [row.row for row in rows] == list(range(1, 1_501))
    assert tuple(rows[:1_000]) == result.rejected
    assert rows[-1].code == "C1499"
    assert await first_rejected(connection, other.import_id) == list(other.rejected)
    assert await first_rejected(connection, uuid4()) == []


async def test_a_scope_has_exactly_the_products_of_the_file(connection: Connection) -> None:
    await put(connection, CHAIR, TABLE)
    chunks = check_records([CHAIR, CHAIR | {"code": "new"}, CHAIR | {"code": ""}])
    result = await import_products(connection, chunks, scoped=True)
    rows = await connection.fetch(
        "SELECT p.code FROM scopes s JOIN products p ON p.id = s.product_id WHERE import_id = $1 "
        "ORDER BY code",
        result.import_id,
    )
    assert [row["code"] for row in rows] == ["A", "new"]


async def test_pictures_beside_the_catalogue_are_stored_once(
    connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(picture_bytes("PNG"))
    (tmp_path / "same.png").write_bytes(picture_bytes("PNG"))
    (tmp_path / "b.jpg").write_bytes(picture_bytes("JPEG"))
    text = "code,name,description,image\nA,n,d,a.png\nB,n,d,same.png\nC,n,d,b.jpg\nD,n,d,\n"
    path = write_text(tmp_path / "a.csv", text)
    result = await import_products(connection, read_catalogue(path))
    assert (result.created, result.rejected_count) == (4, 0)
    assert await counts(connection) == (4, 0, 2)
    data = await connection.fetchval(
        "SELECT data FROM pictures JOIN products ON sha256 = picture_sha256 WHERE code = 'C'"
    )
    assert data == picture_bytes("JPEG")
    assert (await import_products(connection, read_catalogue(path))).unchanged == 4


async def test_an_import_rolls_back_with_its_transaction(connection: Connection) -> None:
    transaction = connection.transaction()
    await transaction.start()
    assert (await put(connection, CHAIR)).created == 1
    await transaction.rollback()
    assert await counts(connection) == (0, 0, 0)


async def test_importing_an_empty_catalogue_does_nothing(connection: Connection) -> None:
    result = await put(connection)
    assert (result.created, result.updated, result.unchanged, result.rejected_count) == (0,) * 4
    assert isinstance(result.import_id, UUID)


async def test_two_imports_of_the_same_new_codes_do_not_collide(database_url: str) -> None:
    connections = [await asyncpg.connect(database_url) for _ in range(4)]
    records = [CHAIR | {"code": f"P{i}"} for i in range(2_000)]
    orders = [records, records[::-1], records[::2], records]
    results = await asyncio.gather(*(put(c, *o) for c, o in zip(connections, orders, strict=True)))
    assert sum(result.created for result in results) == 2_000
    assert sum(result.unchanged for result in results) == 5_000
    for connection in connections:
        await connection.close()


class SlowChunks:
    """A reader that stops in the middle until it is told to go on, and notes in which thread it
    runs.
    """

    def __init__(self, chunks: Iterator[CheckedChunk]) -> None:
        self.chunks = list(chunks)
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.threads: set[int] = set()
        self.closed = False

    def __iter__(self) -> Iterator[CheckedChunk]:
        try:
            for chunk in self.chunks:
                self.threads.add(threading.get_ident())
                self.reached.set()
                assert self.go_on.wait(30)
                yield chunk
        finally:
            self.closed = True


async def test_reading_a_chunk_does_not_block_the_event_loop(connection: Connection) -> None:
    slow = SlowChunks(check_records([CHAIR]))
    task = asyncio.create_task(import_products(connection, slow))
    await asyncio.to_thread(slow.reached.wait, 30)
    assert not task.done()
    slow.go_on.set()
    assert (await task).created == 1
    assert threading.get_ident() not in slow.threads


async def test_a_cancelled_import_stores_nothing_and_frees_its_connection(
    connection: Connection,
) -> None:
    slow = SlowChunks(check_records([CHAIR]))
    task = asyncio.create_task(import_products(connection, slow))
    await asyncio.to_thread(slow.reached.wait, 30)
    task.cancel()
    await asyncio.sleep(0)  # the cancellation arrives while the thread is still reading
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.closed
    assert await counts(connection) == (0, 0, 0)
    assert (await put(connection, CHAIR)).created == 1


NASTY = ["\\", "\\.", "\\N", "\t", "\n\\.\n", "\r", '"', "é", "\u2028", "\x7f", "null", "", "𝒳"]


async def test_every_character_survives_the_copy(connection: Connection) -> None:
    texts = [a + b for a in NASTY for b in NASTY]
    await connection.execute("CREATE TEMP TABLE t (n bigint, text text, number float8)")
    numbers = [1e-7 * 3**i for i in range(len(texts))]
    frame = pl.DataFrame({"n": range(len(texts)), "text": texts, "number": numbers})
    frame = pl.concat(
        [frame, pl.DataFrame({"n": [-1], "text": [None], "number": [None]}, schema=frame.schema)]
    )

    async def source() -> AsyncIterator[bytes]:
        yield copy_text(frame)

    await connection.copy_to_table("t", source=source(), format="text")
    rows = await connection.fetch("SELECT n, text, number FROM t")
    assert [tuple(row) for row in rows] == frame.rows()


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_a_copied_row_is_one_line(texts: list[str]) -> None:
    frame = pl.DataFrame({"a": texts, "b": texts[::-1]})
    lines = copy_text(frame).decode().split("\n")
    assert len(lines) == len(texts) + 1
    assert all(line.count("\t") == 1 for line in lines[:-1])


async def test_formula_text_is_stored_as_it_is(connection: Connection) -> None:
    await put(connection, CHAIR | {"code": "=1+1", "name": "@SUM(A1:A9)"})
    assert (await stored(connection, "=1+1"))["name"] == "@SUM(A1:A9)"


async def test_rejected_rows_contain_only_storable_text(connection: Connection) -> None:
    result = await put(connection, CHAIR | {"code": "A\0"}, CHAIR | {"name": "\ud800"})
    assert result.rejected == tuple(await first_rejected(connection, result.import_id))
    assert [type(row) for row in result.rejected] == [RejectedRow, RejectedRow]


UNPRINTABLE = ("\x00", "\x1b", "\x85", "\u202e", "\u2028", "\ufffe")
"""A character that PostgreSQL refuses, and some that displays obey."""


@pytest.mark.parametrize("hostile", UNPRINTABLE, ids=ascii)
@pytest.mark.parametrize("write", [write_csv, write_json, write_jsonl, write_parquet])
async def test_an_unprintable_character_anywhere_costs_no_more_than_its_row(
    connection: Connection,
    tmp_path: Path,
    write: Callable[[Path, Sequence[Mapping[str, str | None]]], None],
    hostile: str,
) -> None:
    """In every header in turn, and in every cell of the second row."""
    names = ("code", "name", "description", "weight", "image", "supplier", "materials", "price")
    good = {name: f"{name} of A" for name in names} | {"code": "A"}
    for spoilt in range(len(names)):
        rows = [
            {
                name + hostile * (place == spoilt): text + hostile * (row == 1)
                for place, (name, text) in enumerate(good.items())
            }
            for row in range(2)
        ]
        path = tmp_path / f"{spoilt}.{write.__name__.removeprefix('write_')}"
        write(path, rows)
        try:
            result = await import_products(connection, read_catalogue(path))
        except MissingColumn:
            continue  # a header that is no longer known is named before anything is read
        stored = [row async for row in stream_rejected(connection, result.import_id)]
        columns = [row.column for row in stored if row.column]
        notes = await connection.fetchval(
            "SELECT string_agg(notes::text, '') FROM products WHERE code = 'A'"
        )
        assert all(column.isprintable() for column in columns)
        assert hostile not in (notes or "")
