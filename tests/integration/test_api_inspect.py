"""What a file is taken for, over HTTP: questions, the form fields that answer them, hostile
files.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import xlsxwriter

from tests.support.api import ApiClient, api_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
INSPECT = "/api/products/inspect"
UPLOAD = "/api/products/bulk-upload"
GRAMS = b"code,name,description,weight\n" + b"".join(
    b"A-%d,Chair,Chair of oak,%d\n" % (i, i * 500) for i in range(1, 9)
)


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as api:
        yield api


async def post(client: ApiClient, path: str, name: str, data: bytes, **fields: str) -> Any:
    return await client.http.post(path, files={"file": (name, data)}, data=fields)


async def test_question_names_the_field_that_answers_it(client: ApiClient) -> None:
    report = (await post(client, INSPECT, "grams.csv", GRAMS)).json()
    (question,) = report["questions"]
    assert question["option"] == "unit"
    refused = await post(client, UPLOAD, "grams.csv", GRAMS)
    assert refused.status_code == 422
    assert "in an upload, set the field unit" in refused.json()["detail"]
    assert (await client.http.get("/api/products")).json()["products"] == []


async def test_answer_in_the_form_settles_the_question(client: ApiClient) -> None:
    report = (await post(client, INSPECT, "grams.csv", GRAMS, unit="g")).json()
    assert report["questions"] == []
    assert (await post(client, UPLOAD, "grams.csv", GRAMS, unit="g")).status_code == 201
    product = (await client.http.get("/api/products/A-2")).json()
    assert product["weight"] == 1.0


async def test_form_names_encoding_and_columns(client: ApiClient) -> None:
    data = "Kennung,name,description\nA-1,Stół,Stół dębowy\n".encode("cp1250")
    fields = {"encoding": "windows-1250", "map": "code=Kennung"}
    report = (await post(client, INSPECT, "stol.csv", data, **fields)).json()
    assert report["products"] == 1
    assert report["encodingCertainty"] == "as you said"
    assert (await post(client, UPLOAD, "stol.csv", data, **fields)).status_code == 201
    assert (await client.http.get("/api/products/A-1")).json()["name"] == "Stół"


async def test_form_names_the_sheet(client: ApiClient) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        for name, code in (("Old", "O-1"), ("New", "N-1")):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["code", "name", "description"])
            sheet.write_row(1, 0, [code, "Chair", "Chair of oak"])
    answer = await post(client, UPLOAD, "book.xlsx", file.getvalue(), sheet="New")
    assert answer.json()["created"] == 1
    assert (await client.http.get("/api/products/N-1")).status_code == 200


@pytest.mark.parametrize("path", [INSPECT, UPLOAD])
async def test_file_that_unpacks_to_gigabytes_is_refused_by_its_place(
    client: ApiClient, path: str
) -> None:
    rows = 1_200
    file = io.BytesIO()
    text = pl.Series(["wood " * 200_000]).new_from_index(0, rows)
    codes = [f"A-{i}" for i in range(rows)]
    frame = pl.DataFrame({"code": codes, "name": codes, "description": text})
    frame.write_parquet(file)
    refused = await post(client, path, "bomb.parquet", file.getvalue())
    assert refused.status_code == 422
    assert 'Column "description" of row group 1' in refused.json()["detail"]
    assert (await client.http.get("/healthz")).status_code == 200
    assert (await client.http.get("/api/products")).json()["products"] == []
