"""The examples of the OpenAPI document, recorded from the program: `python -m
tests.support.recorded_examples`.

Three products go through every route while the engine works against the simulator. What the routes
answer is written to src/weighbridge/api/examples.json; a test records again and compares.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.support.api import ApiClient, IdleEngine, api_client
from tests.support.application import program
from tests.support.database import PostgresForTests
from weighbridge.api.document import EXAMPLES_FILE
from weighbridge.api.uploads import CSV_EXAMPLE

if TYPE_CHECKING:
    from httpx2 import Response

API = "/api/products"
CATALOGUE = CSV_EXAMPLE + (
    "PROD-002,Oak shelf,Solid oak wall shelf with two steel brackets,2.4,PL\n"
    "PROD-003,Garden hose,PVC garden hose 20 m,heavy,EU\n"
    "PROD-004,,A row without a name,1,IT\n"
)
FACTORS = {
    "headers": {"Content-Type": "text/csv"},
    "content": "key,name,family,value,low,high,unit,source,source_id,year,region,licence\n"
    "steel_bar,,,1.1,1.0,1.2,kg CO2e/kg,Our mill,EPD 7,2025,DE,ours\n",
}
JACKET = {"code": "PROD-005", "name": "Rain jacket", "description": "Polyester, unlined"}
TOKEN = "a-token-for-the-examples"  # noqa: S105
_DIGITS = re.compile(r"\d+")
_WRITTEN_BY_THE_API = ("/type", "/title", "/detail", "/message", "/reason", "/field")

Examples = dict[str, dict[str, Any]]


class Recorder:
    """Notes the answer to each request under its operation and status."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self.examples: Examples = {"answers": {}, "problems": {}}

    async def answer(self, operation: str, method: str, path: str, **options: Any) -> None:
        """Note what a request is answered with."""
        response = await self.client.http.request(method, path, **options)
        statuses = self.examples["answers"].setdefault(operation, {})
        statuses[str(response.status_code)] = _content(response)

    async def problem(self, method: str, path: str, **options: Any) -> None:
        """Note a request that fails."""
        response = await self.client.http.request(method, path, **options)
        assert response.headers["content-type"] == "application/problem+json", response.text
        self.examples["problems"][str(response.status_code)] = response.json()


def _content(response: Response) -> Any:
    is_json = response.headers["content-type"].startswith("application/json")
    return response.json() if is_json else response.text


async def record(url: str, folder: Path) -> Examples:
    """Drive the program on the database at `url` and note what it answers."""
    async with api_client(url, folder, engine=IdleEngine()) as client:
        recorder = Recorder(client)
        await _record_catalogue(recorder)
        await recorder.answer("start_queue", "POST", f"{API}/start-queue")
        async with program(url, folder) as running:
            await running.work()
            await running.until(completed=4)
            await recorder.answer("workers", "GET", "/api/workers")
            await running.stop()
        await _record_results(recorder)
        await _record_factors(recorder)
        await _record_health(recorder)
        await _record_problems(recorder)
    async with api_client(url, folder, api_token=TOKEN) as client:
        guarded = Recorder(client)
        await guarded.problem("GET", API)
    recorder.examples["problems"] |= guarded.examples["problems"]
    return recorder.examples


async def _record_factors(recorder: Recorder) -> None:
    await recorder.answer("upload_factors", "POST", "/api/factors", **FACTORS)
    await recorder.answer("show_factors", "GET", "/api/factors")
    await recorder.answer("take_factors_back", "DELETE", "/api/factors")


async def _record_catalogue(recorder: Recorder) -> None:
    csv = {"content": CATALOGUE, "headers": {"Content-Type": "text/csv"}}
    await recorder.answer("bulk_upload", "POST", f"{API}/bulk-upload", **csv)
    first = recorder.examples["answers"]["bulk_upload"]["201"]
    await recorder.answer("bulk_upload", "POST", f"{API}/bulk-upload", **csv)
    await recorder.answer("rejected_rows", "GET", first["rejectedUrl"])
    await recorder.answer("row_notes", "GET", first["notesUrl"])
    await recorder.answer("inspect", "POST", f"{API}/inspect", **csv)
    await recorder.answer("add_product", "POST", API, json=JACKET)
    await recorder.answer("add_product", "POST", API, json={**JACKET, "weight": 0.4})
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), "steelblue").save(picture, "PNG")
    png = {"content": picture.getvalue(), "headers": {"Content-Type": "image/png"}}
    await recorder.answer("attach_picture", "POST", f"{API}/PROD-001/image", **png)


async def _record_results(recorder: Recorder) -> None:
    await recorder.answer("queue_status", "GET", f"{API}/queue-status")
    await recorder.answer("processing_stats", "GET", f"{API}/processing-stats")
    await recorder.answer("totals", "GET", f"{API}/totals")
    await recorder.answer("list_products", "GET", API, params={"limit": 1})
    await recorder.answer("show_product", "GET", f"{API}/PROD-001")
    await recorder.answer("explain_product", "GET", f"{API}/PROD-001/explanation")
    await _record_corrections(recorder)
    await recorder.answer("read_queue_config", "GET", f"{API}/queue-config")
    await recorder.answer("queue_config", "PUT", f"{API}/queue-config", json={"batchSize": 200})
    await recorder.answer("set_budgets", "PUT", "/api/budgets", json={"day": 10})
    await recorder.answer("read_budgets", "GET", "/api/budgets")
    await recorder.answer("stop_queue", "POST", f"{API}/stop-queue")
    await recorder.client.add_products(2, status="failed", prefix="F")
    await recorder.answer("reset_failed", "POST", f"{API}/reset-failed")
    await recorder.answer("audit", "GET", "/api/audit", params={"limit": 2})


async def _record_corrections(recorder: Recorder) -> None:
    change = {"target": "bill_of_materials.mass_kg", "value": 0.4}
    asked = {"codes": ["PROD-002"], "changes": [change], "reason": "weighed"}
    await recorder.answer("correct_answers", "POST", f"{API}/corrections", json=asked)
    bill = {"content": "code,material,mass_kg\nPROD-002,pp_resin,2.4\n"}
    csv = {**bill, "headers": {"Content-Type": "text/csv"}}
    await recorder.answer("recompute_footprints", "POST", f"{API}/recompute", json={})
    await recorder.answer(
        "approve_products", "POST", f"{API}/approve", json={"codes": ["PROD-002"]}
    )
    own = f"{API}/PROD-002/corrections"
    await recorder.answer("list_corrections", "GET", own)
    supposed = {"codes": ["PROD-002"], "countryOfOrigin": "DE"}
    await recorder.answer("what_if", "POST", f"{API}/what-if", json=supposed)
    await recorder.answer("product_history", "GET", f"{API}/PROD-002/history")
    await recorder.answer("compare", "GET", f"{API}/compare?from=2026-01-01T00:00Z")
    number = recorder.examples["answers"]["list_corrections"]["200"]["corrections"][0]["number"]
    await recorder.answer("take_correction_back", "DELETE", f"{own}/{number}")
    await recorder.answer("give_bills", "POST", f"{API}/bills", **csv)
    workbook = await recorder.client.http.get(f"{API}/review")
    xlsx = {"Content-Type": workbook.headers["content-type"]}
    await recorder.answer(
        "import_review", "POST", f"{API}/review", content=workbook.content, headers=xlsx
    )


async def _record_health(recorder: Recorder) -> None:
    await recorder.answer("healthz", "GET", "/healthz")
    await recorder.answer("readyz", "GET", "/readyz")
    recorder.client.context.is_leaving = True
    await recorder.answer("readyz", "GET", "/readyz")
    recorder.client.context.is_leaving = False
    await recorder.answer("metrics", "GET", "/metrics")
    metrics = recorder.examples["answers"]["metrics"]
    metrics["200"] = metrics["200"].partition("\n# HELP")[0] + "\n"  # the first metric only


async def _record_problems(recorder: Recorder) -> None:
    stop = f"{API}/stop-queue"
    await recorder.problem("GET", f"{API}/PROD-404")
    await recorder.problem("GET", f"{API}/F00001/explanation")
    await recorder.problem("GET", API, params={"limit": 2_000})
    await recorder.problem("POST", stop, headers={"Origin": "https://elsewhere.example"})
    await recorder.problem("POST", API, content="x", headers={"Content-Type": "text/plain"})
    await recorder.problem("POST", API, content="[" + "0," * 600_000 + "0]")
    await recorder.problem("POST", f"{API}/bulk-upload", **_cut_off_form())
    recorder.client.context.database.pool.terminate()
    await recorder.problem("GET", API)


def _cut_off_form() -> dict[str, Any]:
    body = '--limit\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\ncode,na'
    return {"content": body, "headers": {"Content-Type": "multipart/form-data; boundary=limit"}}


def outline(value: Any, path: str = "") -> set[tuple[str, str]]:
    """Where a document has which kind of value; for texts that the API writes, the text itself."""
    match value:
        case dict():
            return {one for name, part in value.items() for one in outline(part, f"{path}/{name}")}
        case list():
            return {one for part in value for one in outline(part, f"{path}/*")}
        case str() if path.endswith(_WRITTEN_BY_THE_API):
            return {(path, _DIGITS.sub("#", value))}
        case _:
            return {(path, "number" if isinstance(value, float) else type(value).__name__)}


def main() -> None:
    """Record and write the file."""
    with tempfile.TemporaryDirectory() as name:
        server = PostgresForTests(Path(name))
        try:
            examples = asyncio.run(record(server.create_database(), Path(name)))
        finally:
            server.close()
    text = json.dumps(examples, indent=2, ensure_ascii=False)
    EXAMPLES_FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
