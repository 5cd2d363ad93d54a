"""The files of the desk over HTTP: the review workbook out and in, and own bills of materials."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import xlsxwriter

from tests.support.api import api_client
from tests.support.application import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.api import ApiClient

pytestmark = pytest.mark.anyio

REVIEW = "/api/products/review"
BILLS = "/api/products/bills"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEETS = ("Products", "Lines", "_Products", "_Lines")
BILL = "code,material,mass_kg\nP-001,recycled aluminium,0.3\n"


async def _two_products(database_url: str, tmp_path: Path) -> None:
    async with program(database_url, tmp_path) as running:
        await running.add_many(2, weight_kg=0.3)
        await running.start()
        await running.until(completed=2)


async def _send(client: ApiClient, path: str, content: bytes, kind: str = XLSX) -> Any:
    headers = {"Content-Type": kind}
    return await client.http.post(path, content=content, headers=headers)


def _with_mass(workbook: bytes, value: object) -> bytes:
    """As another program saves it, with another mass of the first product."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        for name in SHEETS:
            table = pl.read_excel(io.BytesIO(workbook), sheet_name=name)
            rows = [table.columns, *map(list, table.rows())]
            if name == "Products":
                rows[1][3] = value
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return target.getvalue()


async def test_the_review_workbook_goes_out_and_comes_back(
    database_url: str, tmp_path: Path
) -> None:
    await _two_products(database_url, tmp_path)
    async with api_client(database_url, tmp_path) as client:
        response = await client.http.get(REVIEW)
        assert response.headers["content-type"] == XLSX
        workbook = response.content
        unchanged = await _send(client, REVIEW, workbook)
        assert (unchanged.status_code, unchanged.json()) == (200, {"corrected": [], "leftOut": []})
        wrong = await _send(client, REVIEW, _with_mass(workbook, -1))
        assert wrong.status_code == 422
        assert "Products!D2: no single product weighs -1 kg" in wrong.text
        done = await _send(client, f"{REVIEW}?reason=scales", _with_mass(workbook, 0.5))
        assert [one["code"] for one in done.json()["corrected"]] == ["P-001"]
        (record,) = (await client.get("/api/products/P-001/corrections"))["corrections"]
        assert (record["after"], record["reason"]) == (0.5, "scales")
        entry = (await client.get("/api/audit?limit=1"))["entries"][0]
        assert entry["action"] == "corrected answers"
        damaged = await _send(client, REVIEW, b"PK\x03\x04 and no more")
        assert damaged.status_code == 422, damaged.text


async def test_own_bills_come_in_as_csv_and_are_refused_by_row(
    database_url: str, tmp_path: Path
) -> None:
    await _two_products(database_url, tmp_path)
    async with api_client(database_url, tmp_path) as client:
        bad = await _send(client, BILLS, f"{BILL}P-002,unobtainium,1\n".encode(), "text/csv")
        assert bad.status_code == 422
        assert "row 3, column material: there is no material 'unobtainium'" in bad.text
        unknown = await _send(client, BILLS, f"{BILL}X-1,pp_resin,1\n".encode(), "text/csv")
        assert unknown.status_code == 404
        done = (await _send(client, BILLS, BILL.encode(), "text/csv")).json()
        assert [one["code"] for one in done["corrected"]] == ["P-001"]
        again = (await _send(client, BILLS, BILL.encode(), "text/csv")).json()
        taken = ['"recycled aluminium" was taken as aluminium_recycled.']
        assert again == {"corrected": [], "waiting": [], "unchanged": ["P-001"], "notes": taken}
        entry = (await client.get("/api/audit?limit=1"))["entries"][0]
        assert entry["action"] == "gave own bills of materials"
        shown = await client.get("/api/products/P-001")
        assert shown["footprint"]["answered"]["billOfMaterials"] == [
            {"material": "aluminium_recycled", "massKg": 0.3, "component": ""}
        ]
