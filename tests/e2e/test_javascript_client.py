"""A client written against the description of the API drives every endpoint of a real `weighbridge
serve` process.
"""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncpg
import pytest
from PIL import Image

from tests.support.browser import Browser, Message
from tests.support.killed_run import wait_until
from tests.support.server_process import server_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.browser import Reply
    from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.e2e

API = "/api/products"
CSV = (
    b"code,name,description,weight,countryOfOrigin\n"
    b'PROD-001,Steel bottle,"Stainless steel, 500 ml",0.35,DE\n'
    b"PROD-002,Oak chair,Solid oak with a lacquer,6.5,PL\n"
    b"PROD-003,Mug,Ceramic,heavy,CN\n"
)
DEFAULTS = {
    "batchSize": 500,
    "batchDelayMs": 60_000,
    "maxConcurrentRequests": 10,
    "pacing": "batch",
    "askTogether": False,
    "requestsPerMinute": 500,
    "tokensPerMinute": 450_000,
}
IDLE = {
    "queueLength": 0,
    "processing": False,
    "processedCount": 0,
    "failedCount": 0,
    **{name: value for name, value in DEFAULTS.items() if "PerMinute" not in name},
    "running": True,
    "pausedReason": None,
    "currentBatch": 0,
    "nextBatchAt": None,
    "limits": {
        "requestsPerMinute": {"used": 0, "allowed": 500},
        "tokensPerMinute": {"used": 0, "allowed": 450_000},
    },
}
SUMMARY_TYPES = {
    "code": str,
    "name": str,
    "description": str,
    "weight": float,
    "imageUrl": type(None),
    "hasPicture": bool,
    "morePictures": list,
    "countryOfOrigin": str,
    "aiProcessingStatus": str,
    "category": str,
    "subcategory": str,
    "emissionsKgCo2e": float,
    "lowKgCo2e": float,
    "highKgCo2e": float,
    "dataQuality": float,
    "simulated": bool,
    "facts": dict,
    "notes": list,
    "attempts": int,
    "errorKind": type(None),
    "error": type(None),
    "createdAt": str,
    "updatedAt": str,
    "completedAt": str,
}
STEPS = {"classification", "bill_of_materials", "manufacturing"}


FACTORS = (
    b"kind,key,name,family,value,low,high,unit,source,source_id,year,region,licence,category,"
    b"subcategory,maker,kg_co2e\n"
    b"material,steel_bar,,,1.1,1.0,1.2,kg CO2e/kg,Our mill,EPD 7,2025,DE,ours,,,,\n"
)


class Journey:
    """One visit; each method is a page of the documentation. They build on each other."""

    def __init__(self, server: ServerProcess, browser: Browser, database_url: str) -> None:
        self.server = server
        self.browser = browser
        self._url = database_url

    def get(self, path: str) -> Any:
        """GET that must succeed; returns the JSON."""
        reply = self.browser.fetch("GET", path)
        assert reply.status == 200, reply.text()
        return reply.json()

    def post(self, path: str, status: int = 200, **options: Any) -> Any:
        """POST that must be answered so; returns the JSON."""
        reply = self.browser.fetch("POST", path, **options)
        assert reply.status == status, reply.text()
        return reply.json()

    def until_completed(self, count: int) -> None:
        """Until so many products have their result."""
        self.server.until(f"{API}/queue-status", lambda s: s["database"]["completed"] == count)

    def sql(self, statement: str) -> None:
        """Change the database behind the API's back."""

        async def execute() -> None:
            connection: asyncpg.Connection[Any] = await asyncpg.connect(self._url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(execute())

    def arrive(self) -> None:
        """Health, documentation, and the defaults of an empty queue."""
        assert self.get("/healthz")["status"] == "ok"
        assert self.get("/readyz") == {"status": "ready"}
        front = self.browser.fetch("GET", "/")
        assert "Overview · Weighbridge" in front.text()
        assert "SwaggerUIBundle" in self.browser.fetch("GET", "/docs").text()
        status = self.get(f"{API}/queue-status")
        assert status["queue"] == IDLE
        assert status["database"] == {"pending": 0, "processing": 0, "completed": 0, "failed": 0}
        assert status["totalProducts"] == 0

    def inspect(self) -> None:
        """What a file would be taken for; nothing is stored."""
        report = self.post(f"{API}/inspect", file=("products.csv", CSV, "text/csv"))
        assert report["estimate"]["products"] == 3
        assert self.get(f"{API}/queue-status")["totalProducts"] == 0

    def upload_to_a_stopped_queue(self) -> None:
        """Files, arrays, single products, bad rows; nothing of it is processed yet."""
        stopped = self.post(f"{API}/stop-queue")
        assert (stopped["callsInFlight"], stopped["queue"]["running"]) == (0, False)
        done = self.post(f"{API}/bulk-upload", 201, file=("../../products.csv", CSV, "text/csv"))
        assert (done["created"], done["updated"], done["unchanged"]) == (3, 0, 0)
        assert [(note["row"], note["field"]) for note in done["notes"]] == [(4, "weight")]
        assert (done["rejectedCount"], done["notesCount"]) == (0, 1)
        noted = self.browser.fetch("GET", done["notesUrl"]).text().splitlines()
        assert noted[1].startswith("4,weight,")
        nameless = (
            "products.csv",
            b"code,name,description\nX-1,,A row without a name\n",
            "text/csv",
        )
        bad = self.post(f"{API}/bulk-upload", file=nameless)
        assert (bad["rejectedCount"], bad["created"]) == (1, 0)
        rejected = self.browser.fetch("GET", bad["rejectedUrl"]).text().splitlines()
        assert rejected[1].startswith("2,name,")
        again = self.post(f"{API}/bulk-upload", file=("products.csv", CSV, "text/csv"))
        assert (again["created"], again["unchanged"]) == (0, 3)
        product = {"code": "A/1 ü", "name": "Bottle", "description": "Glass", "weight": 0.4}
        assert self.post(API, 201, json_body=product)["created"] == 1
        assert self.post(f"{API}/bulk-upload", json_body=[product])["unchanged"] == 1
        assert self.post(API, json_body={**product, "weight": 0.5})["updated"] == 1
        self.refused(self.browser.fetch("POST", API, json_body={**product, "name": " "}), "name")
        assert self.get(f"{API}/queue-status")["database"]["pending"] == 4

    def refused(self, reply: Reply, *fields: str) -> None:
        """A problem document (RFC 9457) that blames these fields."""
        assert (reply.status, reply.media_type) == (422, "application/problem+json")
        problem = reply.json()
        assert {"type", "title", "status", "detail", "instance"} <= set(problem)
        assert problem["status"] == 422
        assert tuple(error["field"] for error in problem["errors"]) == fields

    def show_a_picture(self) -> None:
        """It comes back as it was sent."""
        file = io.BytesIO()
        Image.new("RGB", (4, 3), "red").save(file, "PNG")
        data = file.getvalue()
        stored = self.post(f"{API}/PROD-001/image", file=("red.png", data, "image/png"))
        assert stored == {
            "code": "PROD-001",
            "mediaType": "image/png",
            "widthPx": 4,
            "heightPx": 3,
            "sizeBytes": len(data),
        }
        shown = self.browser.fetch("GET", f"{API}/PROD-001/image")
        assert (shown.media_type, shown.body) == ("image/png", data)
        wrong = ("red.png", b"GIF", "image/png")
        self.refused(self.browser.fetch("POST", f"{API}/PROD-003/image", file=wrong), "file")

    def tune(self) -> None:
        """The ends of each range are taken; beyond them, of the wrong type or unknown nothing
        is.
        """
        config = f"{API}/queue-config"
        assert self.get(config)["batchSize"] == IDLE["batchSize"]
        ranges = {
            "batchSize": (1, 1_000),
            "batchDelayMs": (30_000, 86_400_000),
            "maxConcurrentRequests": (1, 20),
            "requestsPerMinute": (1, 10_000_000),
            "tokensPerMinute": (1, 100_000_000_000),
        }
        for name, (low, high) in ranges.items():
            for wrong in (low - 1, high + 1, True, str(low), low + 0.5, None):
                self.refused(self.browser.fetch("PUT", config, json_body={name: wrong}), name)
            for right in (low, high):
                changed = self.browser.fetch("PUT", config, json_body={name: right}).json()
                assert changed["current"] == {**changed["previous"], name: right}
        for name, wrong in (("pacing", "fast"), ("askTogether", 1), ("batch_size", 5)):
            self.refused(self.browser.fetch("PUT", config, json_body={name: wrong}), name)
        self.refused(self.browser.fetch("PUT", config, json_body={}), "body")
        back = self.browser.fetch("PUT", config, json_body=DEFAULTS).json()
        assert back["current"] == DEFAULTS
        faster = {"pacing": "continuous", "batchDelayMs": 30_000}
        current = self.browser.fetch("PUT", config, json_body=faster).json()["current"]
        assert current == {**DEFAULTS, **faster}
        self.cap()

    def cap(self) -> None:
        """Caps on money are set, refused and removed."""
        budgets = "/api/budgets"
        for wrong in (-1, True, "5"):
            self.refused(self.browser.fetch("PUT", budgets, json_body={"day": wrong}), "day")
        self.browser.fetch("PUT", budgets, json_body={"day": 1_000, "month": 2_000})
        caps = {budget["name"]: budget["capUsd"] for budget in self.get(budgets)["budgets"]}
        assert caps == {"day": 1_000, "month": 2_000}
        self.browser.fetch("PUT", budgets, json_body={"day": None, "month": None})
        assert self.get(budgets) == {"budgets": []}

        self.use_own_factors()

    def use_own_factors(self) -> None:
        """Factors are uploaded, shown, fetched as they came, and taken back."""
        factors = "/api/factors"
        bundled = self.get(factors)["name"]
        wrong = FACTORS.replace(b",kg CO2e/kg,", b",,")
        self.refused(
            self.browser.fetch("POST", factors, file=("ours.csv", wrong, "text/csv")), "unit"
        )
        done = self.post(factors, file=("ours.csv", FACTORS, "text/csv"))
        assert done["replaced"] == ["material steel_bar"]
        assert self.get(factors) == done
        assert self.browser.fetch("GET", f"{factors}/1").body == FACTORS
        back = self.browser.fetch("DELETE", factors).json()
        assert (back["name"], back["replaced"]) == (bundled, [])

    def start_and_watch(self) -> None:
        """Every product is told to be finished, though the connection breaks in between."""
        with self.browser.events() as messages:
            first = next(messages)
            assert (first.kind, first.data["queue"]["running"]) == ("progress", False)
            started = self.post(f"{API}/start-queue")
            assert started["addedToQueue"] == 4
            assert started["queue"]["running"] is True
            assert isinstance(started["message"], str)
            heard = [*_up_to(messages, "state")]
        assert heard[-1].data["running"] is True
        self.until_completed(4)
        with self.browser.events(heard[-1].id) as messages:
            # One look at the database gives several messages: which comes first is not promised.
            while not (_completed(heard) == 4 and len(_finished(heard)) >= 4 and _lines(heard)):
                heard.append(next(messages))
        numbers = [int(message.id.partition("-")[2]) for message in heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert sorted(_finished(heard)) == ["A/1 ü", "PROD-001", "PROD-002", "PROD-003"]

    def look_at_products(self) -> None:
        """The list with filters and pages; one product with everything."""
        first = self.get(f"{API}?status=completed&search=&limit=3&cursor=")
        second = self.get(f"{API}?limit=3&cursor={first['nextCursor']}")
        codes = [product["code"] for page in (first, second) for product in page["products"]]
        assert codes == ["PROD-001", "PROD-002", "PROD-003", "A/1 ü"]
        found = self.get(f"{API}?search=oak")["products"]
        assert [product["code"] for product in found] == ["PROD-002"]
        assert {name: type(value) for name, value in found[0].items()} == SUMMARY_TYPES
        self.refused(self.browser.fetch("GET", f"{API}?limit=0"), "limit")
        self.refused(self.browser.fetch("GET", f"{API}?status=done"), "status")
        detail = self.get(f"{API}/{quote('A/1 ü', safe='')}")
        assert {answer["step"] for answer in detail["answers"]} == STEPS
        assert [call["outcome"] for call in detail["calls"]] == ["ok"] * 3
        assert detail["footprint"]["mass"]["value"] == 0.5
        assert detail["footprint"]["provenance"]["simulated"] is True
        total = sum(term["emissionsKgCo2e"] for term in detail["footprint"]["contributions"])
        assert detail["emissionsKgCo2e"] == pytest.approx(total)

    def explain_and_correct(self) -> None:
        """Why a figure is what it is; a value overridden, and the correction taken back."""
        before = self.get(f"{API}/PROD-002/explanation")
        change = {"target": "bill_of_materials.mass_kg", "value": 13}
        asked = {"codes": ["PROD-002"], "changes": [change], "reason": "weighed"}
        (done,) = self.post(f"{API}/corrections", json_body=asked)["corrected"]
        assert done["afterKgCo2e"] == pytest.approx(2 * done["beforeKgCo2e"])
        wrong = {**asked, "changes": [{**change, "value": "heavy"}]}
        self.refused(self.browser.fetch("POST", f"{API}/corrections", json_body=wrong), "changes")
        again = self.post(f"{API}/recompute", json_body={"dryRun": True})
        assert (again["products"], again["moved"]) == (4, 0)
        for approved in (True, False):
            marked = {"codes": ["PROD-002"], "approved": approved}
            assert self.post(f"{API}/approve", json_body=marked)["modifiedCount"] == 1
            checked = self.get(f"{API}?checked=true&corrected=true")["products"]
            assert [one["code"] for one in checked] == ["PROD-002"] * approved
        own = f"{API}/PROD-002/corrections"
        (record,) = self.get(own)["corrections"]
        assert (record["after"], record["reason"], record["madeBy"]) == (13, "weighed", "local")
        back = self.browser.fetch("DELETE", f"{own}/{record['number']}").json()["corrected"]
        assert back[0]["afterKgCo2e"] == done["beforeKgCo2e"]
        assert self.get(f"{API}/PROD-002/explanation") == before
        supposed = {"codes": ["PROD-002"], "countryOfOrigin": "DE", "recycledShare": 0.5}
        then = self.post(f"{API}/what-if", json_body=supposed)
        assert then["products"][0]["code"] == "PROD-002"
        assert self.get(f"{API}/PROD-002/explanation") == before
        causes = [one["causes"] for one in self.get(f"{API}/PROD-002/history")["versions"]]
        assert [each[0].partition(" by ")[0] for each in causes] == [
            "correction taken back",
            "corrected",
            "first computed, answers",
        ]
        moved = self.get(f"{API}/compare?from=2020-01-01T00:00Z")
        assert "PROD-002" in moved["added"]

    def exchange_files(self) -> None:
        """The review workbook out and back unchanged; a bill of materials that cannot be."""
        review = self.browser.fetch("GET", f"{API}/review")
        assert review.body.startswith(b"PK")
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        same = self.post(f"{API}/review", file=("review.xlsx", review.body, kind))
        assert same == {"corrected": [], "leftOut": []}
        bill = b"code,material,mass_kg\nPROD-002,unobtainium,1\n"
        wrong = self.browser.fetch("POST", f"{API}/bills", file=("bills.csv", bill, "text/csv"))
        assert wrong.status == 422

    def see_who_works(self) -> None:
        """One worker, and this client's own deeds."""
        assert len(self.get("/api/workers")["workers"]) == 1
        assert self.get("/api/audit")["entries"][0]["actor"] == "local"

    def count(self) -> None:
        """Statistics, metrics, exports."""
        stats = self.get(f"{API}/processing-stats")
        assert set(stats) == {"asOf", "batches", "counts", "last24Hours", "overall"}
        totals = self.get(f"{API}/totals?by=country")
        assert (totals["completed"], totals["by"]) == (4, "country")
        for period in (stats["last24Hours"], stats["overall"]):
            assert (period["completed"], period["failed"], period["failureRate"]) == (4, 0, 0)
            assert {row["name"] for row in period["byStep"]} == STEPS
            assert [row["name"] for row in period["byModel"]] == ["gpt-6-luna"]
            assert period["tokens"]["total"] > 0
            assert period["latencyP50S"] <= period["latencyP95S"]
        metrics = self.browser.fetch("GET", "/metrics").text()
        assert 'weighbridge_products{state="completed"} 4.0' in metrics
        starts = {"csv": b"code,", "jsonl": b'{"', "xlsx": b"PK", "parquet": b"PAR1"}
        for name, start in starts.items():
            export = self.browser.fetch("GET", f"{API}/export?format={name}")
            assert export.body.startswith(start)
            assert export.headers["content-disposition"].endswith(f'.{name}"')

    def recover(self) -> None:
        """What has failed is asked again; what is stuck goes on; an upload with better data too."""
        self.sql(
            "UPDATE products SET status = 'failed', error_kind = 'AnswerMalformed', error = 'x',"
            " attempts = 4 WHERE code = 'PROD-003'"
        )
        failed = self.get(f"{API}?status=failed")["products"]
        assert [(p["code"], p["errorKind"], p["error"]) for p in failed] == [
            ("PROD-003", "AnswerMalformed", "x")
        ]
        assert self.post(f"{API}/reset-failed")["modifiedCount"] == 1
        self.until_completed(4)
        self.post(f"{API}/stop-queue")
        wait_until(self._is_stuck, "it is seen to be stuck")
        assert self.post(f"{API}/start-queue")["addedToQueue"] == 1
        self.until_completed(4)

    def _is_stuck(self) -> bool:
        """Every few seconds the server looks for such products, and frees them."""
        self.sql("UPDATE products SET status = 'processing', job_id = NULL WHERE code = 'PROD-003'")
        is_processing: bool = self.get(f"{API}/queue-status")["queue"]["processing"]
        return is_processing

    def leave(self) -> None:
        """A deleted product is gone."""
        reply = self.browser.fetch("DELETE", f"{API}/PROD-003")
        assert (reply.status, reply.body) == (204, b"")
        for method in ("GET", "DELETE"):
            missing = self.browser.fetch(method, f"{API}/PROD-003")
            assert (missing.status, missing.media_type) == (404, "application/problem+json")


def _completed(heard: Sequence[Message]) -> int:
    """By the last message that counts them."""
    counts = [m.data["database"]["completed"] for m in heard if m.kind == "progress"]
    return counts[-1] if counts else 0


def _lines(heard: Sequence[Message]) -> list[str]:
    """What the console says of finished products."""
    told = [line["message"] for m in heard if m.kind == "log" for line in m.data["lines"]]
    return [line for line in told if "Successfully" in line]


def _finished(heard: Sequence[Message]) -> list[str]:
    """The codes of all products that were told to be finished. They may come after the count."""
    told = [m.data["products"] for m in heard if m.kind == "products"]
    return [product["code"] for products in told for product in products]


def _up_to(messages: Iterator[Message], kind: str) -> Iterator[Message]:
    for message in messages:
        yield message
        if message.kind == kind:
            return


def test_a_javascript_client_drives_every_endpoint(database_url: str, tmp_path: Path) -> None:
    with server_process(database_url, tmp_path) as server:
        journey = Journey(server, Browser(server.port), database_url)
        journey.arrive()
        journey.inspect()
        journey.upload_to_a_stopped_queue()
        journey.show_a_picture()
        journey.tune()
        journey.start_and_watch()
        journey.look_at_products()
        journey.explain_and_correct()
        journey.exchange_files()
        journey.see_who_works()
        journey.count()
        journey.recover()
        journey.leave()
        assert journey.browser.operations - journey.browser.called == set()
        assert server.terminate() == 0
        assert "ERROR" not in server.log
