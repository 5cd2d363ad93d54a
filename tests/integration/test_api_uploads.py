"""Uploads: streamed, bounded, and never a path."""

from __future__ import annotations

import asyncio
import gzip
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Message, Scope

pytestmark = pytest.mark.anyio

UPLOAD = "/api/products/bulk-upload"
HEADER = "code,name,description\n"
FILE_PART = (
    b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    + HEADER.encode()
    + b"\r\n--b--\r\n"
)


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(
        database_url,
        tmp_path,
        max_upload_bytes=200_000,
        max_import_rows=2_000,
        max_name_characters=40,
    ) as opened:
        yield opened


def _rows(count: int) -> str:
    return HEADER + "".join(f"P{n},Mug {n},Ceramic mug\n" for n in range(count))


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(client: ApiClient) -> None:
    refused = await client.http.post(UPLOAD, files={"file": ("big.csv", "x" * 300_000)})
    assert refused.status_code == 413
    assert "200,000" in refused.json()["detail"]


async def test_a_stream_without_content_length_is_cut_off_at_the_limit(client: ApiClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 10_000
            yield b"x" * 10_000

    refused = await client.http.post(
        UPLOAD, content=endless(), headers={"Content-Type": "text/csv"}
    )
    assert refused.status_code == 413
    assert sent < 400_000


async def test_a_client_disconnect_during_an_upload_is_not_a_crash(
    client: ApiClient, tmp_path: Path
) -> None:
    arriving: list[Message] = [
        {"type": "http.request", "body": b"code,na", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return arriving.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": UPLOAD,
        "raw_path": UPLOAD.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"text/csv")],
    }
    await client.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert not list((tmp_path / "uploads").iterdir())


async def test_too_many_rows_are_refused_and_nothing_is_stored(client: ApiClient) -> None:
    refused = await client.http.post(UPLOAD, files={"file": ("many.csv", _rows(2_001))})
    assert refused.status_code == 422
    assert "2,000" in refused.json()["detail"]
    assert (await client.get("/api/products/queue-status"))["totalProducts"] == 0


async def test_a_field_that_is_too_long_rejects_its_row_only(client: ApiClient) -> None:
    done = await client.http.post(
        UPLOAD, files={"file": ("a.csv", f"{HEADER}A,{'n' * 41},d\nB,Mug,Ceramic\n")}
    )
    assert done.json()["created"] == 1
    assert [(row["row"], row["field"]) for row in done.json()["rejected"]] == [(2, "name")]


async def test_upload_shows_a_thousand_rejected_rows_and_links_all(client: ApiClient) -> None:
    bad = HEADER + "".join(f"P{n},,Ceramic mug\n" for n in range(1_500))
    done = (await client.http.post(UPLOAD, files={"file": ("bad.csv", bad)})).json()
    assert (len(done["rejected"]), done["rejectedCount"]) == (1_000, 1_500)
    everything = await client.http.get(done["rejectedUrl"])
    assert len(everything.text.splitlines()) == 1_501


async def test_an_unknown_import_has_no_rejected_rows(client: ApiClient) -> None:
    missing = await client.http.get(
        "/api/products/imports/00000000-0000-0000-0000-000000000000/rejected"
    )
    assert missing.status_code == 404
    assert (await client.http.get("/api/products/imports/x/rejected")).status_code == 404


async def test_the_name_of_an_upload_is_shown_but_never_used_as_a_path(
    client: ApiClient, tmp_path: Path
) -> None:
    name = "../../../../evil.csv"
    refused = await client.http.post(UPLOAD, files={"file": (name, "no,columns\n1,2\n")})
    assert refused.status_code == 422
    assert "evil.csv" in refused.json()["detail"]
    assert ".." not in refused.json()["detail"]
    assert not list(tmp_path.rglob("*evil*"))  # noqa: ASYNC240


async def test_uploads_leave_nothing_on_disk(client: ApiClient, tmp_path: Path) -> None:
    await client.http.post(UPLOAD, files={"file": ("a.csv", _rows(10))})
    await client.http.post(UPLOAD, files={"file": ("a.csv", "damaged")})
    await client.http.get("/api/products/export?format=xlsx")
    assert not list((tmp_path / "uploads").iterdir())


async def test_aborted_downloads_leave_nothing_on_disk(client: ApiClient, tmp_path: Path) -> None:
    await client.add_products(3_000)
    for name, turns in product(("csv", "xlsx"), range(0, 1_000, 50)):
        has_begun = asyncio.Event()

        async def receive(has_begun: asyncio.Event = has_begun, turns: int = turns) -> Message:
            await has_begun.wait()
            for _ in range(turns):  # each time the export is at another point
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(_: Message, has_begun: asyncio.Event = has_begun) -> None:
            has_begun.set()

        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/products/export",
            "raw_path": b"/api/products/export",
            "query_string": f"format={name}".encode(),
            "headers": [(b"host", b"127.0.0.1")],
        }
        await client.app(scope, receive, send)
    await asyncio.get_running_loop().shutdown_default_executor()  # nobody works there any more
    assert not list((tmp_path / "uploads").iterdir())


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"garbage", 400),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\ncode,', 400),
        ("multipart/form-data; boundary=b", b"--b\r\nX-Long: " + b"x" * 100_000 + b"\r\n" + FILE_PART, 400),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X-Many: x\r\n" * 10_000 + FILE_PART, 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n', 422),
        ("text/plain", b"code,name", 415),
        ("", b"code,name", 415),
        ("application/json", b"{", 422),
        ("application/json", b"", 422),
        ("text/csv", b"", 422),
        ("text/csv", b"\xff\xfe\x00", 422),
        ("application/vnd.apache.parquet", b"PAR1", 422),
    ],
)  # fmt: skip
async def test_requests_without_a_file_are_refused(
    client: ApiClient, content_type: str, body: bytes, status: int
) -> None:
    refused = await client.http.post(UPLOAD, content=body, headers={"Content-Type": content_type})
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [UPLOAD, "/api/products"])
async def test_a_compressed_body_is_refused(client: ApiClient, path: str) -> None:
    refused = await client.http.post(
        path,
        content=gzip.compress(b"[]"),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert refused.status_code == 415
    assert "gzip" in refused.json()["detail"]


async def test_an_unusable_data_folder_is_not_blamed_on_the_database(
    client: ApiClient, tmp_path: Path
) -> None:
    (tmp_path / "uploads").write_text("in the way")
    refused = await client.http.post(UPLOAD, files={"file": ("a.csv", _rows(1))})
    assert refused.status_code == 503
    assert refused.json()["title"] == "The data folder cannot be used"


async def test_missing_column_error_does_not_mention_command_line_options(
    client: ApiClient,
) -> None:
    refused = await client.http.post(UPLOAD, json=[{"code": "A", "name": "Mug"}])
    assert "description" in refused.json()["detail"]
    assert "--map" not in refused.json()["detail"]


@pytest.mark.parametrize(("body", "status"), [(b"", 422), (b"GIF89a", 422), (b"<svg/>", 422)])
async def test_files_that_are_not_pictures_are_refused(
    client: ApiClient, body: bytes, status: int
) -> None:
    await client.add_products(1)
    refused = await client.http.post(
        "/api/products/P00001/image", content=body, headers={"Content-Type": "image/gif"}
    )
    assert refused.status_code == status


async def test_a_picture_needs_an_existing_product(client: ApiClient) -> None:
    refused = await client.http.post(
        "/api/products/NONE/image", content=b"x", headers={"Content-Type": "image/png"}
    )
    assert refused.status_code == 404


async def test_concurrent_uploads_all_arrive(client: ApiClient) -> None:
    uploads = [
        client.http.post(
            UPLOAD,
            files={
                "file": (f"{n}.csv", HEADER + "".join(f"{n}-{i},Mug,Ceramic\n" for i in range(50)))
            },
        )
        for n in range(6)
    ]
    answers = await asyncio.gather(*uploads)
    assert [answer.json()["created"] for answer in answers] == [50] * 6
    assert (await client.get("/api/products/queue-status"))["totalProducts"] == 300


@pytest.mark.parametrize("lane", ["batch", "flex", "online", " batch ", ""])
async def test_an_upload_says_in_which_lane_its_products_travel(
    client: ApiClient, lane: str
) -> None:
    file = {"file": ("a.csv", _rows(3))}
    answer = await client.http.post(UPLOAD, files=file, data={"lane": lane})
    assert answer.is_success, answer.text
    rows = await client.context.database.pool.fetch("SELECT DISTINCT lane FROM products")
    assert [row["lane"] for row in rows] == [lane.strip() or "online"]


async def test_a_lane_stays_until_another_one_is_given(client: ApiClient) -> None:
    for given, expected in (("batch", "batch"), (None, "batch"), ("flex", "flex")):
        data = {"lane": given} if given else None
        answer = await client.http.post(UPLOAD, files={"file": ("a.csv", _rows(3))}, data=data)
        assert answer.is_success, answer.text
        rows = await client.context.database.pool.fetch("SELECT DISTINCT lane FROM products")
        assert [row["lane"] for row in rows] == [expected]


@pytest.mark.parametrize("lane", ["Batch", "half price", "0", "batch,online"])
async def test_an_unknown_lane_is_refused_and_nothing_is_stored(
    client: ApiClient, lane: str
) -> None:
    file = {"file": ("a.csv", _rows(3))}
    refused = await client.http.post(UPLOAD, files=file, data={"lane": lane})
    assert refused.status_code == 422
    assert "online, flex or batch" in refused.text
    assert await client.context.database.pool.fetchval("SELECT count(*) FROM products") == 0
