"""How fast the API answers over a million products while the queue works, and what 200 clients cost
the queue.

    python -m benchmarks.api_latency [--products 1000000] [--rpm 3000] [--seconds 60] [--search]
    [--folder DIR] [--json]

`weighbridge serve --simulate` runs as a process, with an embedded PostgreSQL beside it. First each
request comes 50 times a second, and is counted from the moment at which it was due; then `wrk` (a
package of that name in most distributions) asks as fast as it is answered, as 4 and as 200 clients.
Each run lasts a minute: the simulated account admits a full minute's quota in one burst, and every
run has such a burst in it. `asker late` says how late this program itself was at the same time: on
a machine with other work to do, the answers can be no better. `--folder` keeps the database for the
next time. Targets: p99 of queue-status below 20 ms, of a page of the list below 50 ms; 200 clients
on queue-status: no error, and the queue slower by 5 % at most.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvloop

from benchmarks.harness import CATALOGUE, Process, free_port, print_table, site
from weighbridge.api.cursors import make_cursor

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from benchmarks.harness import Site

PER_SECOND: Final = 50
CONNECTIONS: Final = 20
FEW_CLIENTS: Final = 4
MANY_CLIENTS: Final = 200
STATUS_MS: Final = 20.0
LIST_MS: Final = 50.0
SLOWER: Final = 0.05
TOKENS_PER_MINUTE: Final = 30_000_000
_UNIT_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


async def fill(here: Site, count: int) -> None:
    """So many products, the first half of them completed; straight into the tables."""
    present = await here.connection.fetchval("SELECT count(*) FROM products")
    if present >= count:
        return
    with CATALOGUE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    await here.connection.execute(
        "INSERT INTO products (code, name, description, status, completed_at) SELECT 'B-' || "
        "lpad(n::text, 7, '0'), ($2::text[])[1 + n % $4], ($3::text[])[1 + n % $4] || ' Series ' "
        "|| n || '.', CASE WHEN n <= $5 THEN 'completed' ELSE 'pending' END, CASE WHEN n <= $5 "
        "THEN now() END FROM generate_series($1 + 1, $6::int) n",
        present,
        [row["name"] for row in rows],
        [row["description"] for row in rows],
        len(rows),
        count // 2,
        count,
        timeout=1_200,
    )
    await here.connection.execute(
        "INSERT INTO footprints (product_id, revision, emissions_kg_co2e, low_kg_co2e, "
        "high_kg_co2e, mass_kg,"
        " data_quality, category, subcategory, provider, model, simulated, cost_usd, detail)"
        " SELECT id, revision, 1, 0.5, 2, 0.4, 3, 'kitchen', 'bottles', 'simulator', "
        "'gpt-4.1-mini', true, 0, '{}'"
        " FROM products WHERE status = 'completed' ON CONFLICT DO NOTHING",
        timeout=1_200,
    )
    await here.connection.execute("VACUUM ANALYZE", timeout=1_200)


class Asker:
    """Asks for one page so many times a second, on connections that stay open and take turns."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self._took_s: list[float] = []
        self._late_s: list[float] = []
        self._errors = 0

    async def run(self, per_second: int, seconds: float) -> dict[str, Any]:
        """What was seen."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))
        begun_s = time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            for number in range(int(per_second * seconds)):
                due_s = begun_s + number / per_second
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                self._late_s.append(time.perf_counter() - due_s)
                asking.create_task(self._ask(due_s))
        while not self._free.empty():
            self._free.get_nowait()[1].close()
        return {
            "clients": f"{per_second} a second",
            "requests/s": len(self._took_s) / (time.perf_counter() - begun_s),
            "p50 ms": _quantile(self._took_s, 0.5),
            "p99 ms": _quantile(self._took_s, 0.99),
            "worst ms": _quantile(self._took_s, 1),
            "errors": self._errors,
            "asker late, p99 ms": _quantile(self._late_s, 0.99),
        }

    async def _ask(self, due_s: float) -> None:
        reader, writer = await self._free.get()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(re.findall(r"content-length: (\d+)", head)[0]))
        self._took_s.append(time.perf_counter() - due_s)
        self._errors += " 200 " not in head.partition("\r\n")[0]
        self._free.put_nowait((reader, writer))


def _quantile(values_s: list[float], share: float) -> float:
    ordered = sorted(values_s)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 2)


async def ask(url: str, clients: int, seconds: float) -> dict[str, Any]:
    """What `wrk` saw, with so many clients that each ask again as soon as they are answered."""
    wrk = await asyncio.create_subprocess_exec(
        *("wrk", "--latency", "--timeout", "30s"),
        *("-t", "1", "-c", str(clients), "-d", f"{seconds:.0f}s", url),
        stdout=subprocess.PIPE,
    )
    output, _ = await wrk.communicate()
    text = output.decode()
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", text)))
    return {
        "clients": clients,
        "requests/s": float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]),
        "p50 ms": _percentile_ms(text, 50),
        "p99 ms": _percentile_ms(text, 99),
        "worst ms": _ms(re.findall(r"Latency\s+\S+\s+\S+\s+(\S+)", text)[0]),
        "errors": errors,
    }


def _percentile_ms(text: str, percent: int) -> float:
    return _ms(re.findall(rf"\s{percent}%\s+(\S+)", text)[0])


def _ms(text: str) -> float:
    number, unit = re.findall(r"([\d.]+)(\w+)", text)[0]
    return round(float(number) * _UNIT_MS[unit], 2)


async def calls_so_far(here: Site) -> int:
    """Calls with an answer."""
    return int(await here.connection.fetchval("SELECT count(*) FROM calls WHERE outcome = 'ok'"))


async def while_working(
    here: Site, name: str, run: Coroutine[Any, Any, dict[str, Any]]
) -> dict[str, Any]:
    """One row: what a run saw, and the calls that the queue made meanwhile."""
    before = await calls_so_far(here)
    seen = await run
    row = {"request": name, **seen, "calls of the queue": await calls_so_far(here) - before}
    print(row, file=sys.stderr)
    return row


async def nobody_asks(seconds: float) -> dict[str, Any]:
    """The queue by itself."""
    await asyncio.sleep(seconds)
    return {"clients": 0}


async def measure(folder: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Three requests at a pace, then as fast as a few clients go, then the queue alone and beside a
    crowd.
    """
    limits = {"requests_per_minute": arguments.rpm, "tokens_per_minute": TOKENS_PER_MINUTE}
    seconds = arguments.seconds
    async with site(folder, "http://unused.invalid", limits=limits) as here:
        await fill(here, arguments.products)
        middle = await here.connection.fetchval(
            "SELECT id FROM products ORDER BY id OFFSET $1 LIMIT 1", arguments.products // 2
        )
        port = free_port()
        products = "/api/products"
        status = f"{products}/queue-status"
        paths = {
            "queue-status": status,
            "first page": products,
            "page in the middle": f"{products}?cursor={make_cursor(middle)}",
        }
        server = Process(
            ["serve", "--simulate", "--port", str(port)],
            {**here.settings, "WEIGHBRIDGE_LOG_LEVEL": "WARNING"},
            folder / "server.log",
        )
        address = f"http://127.0.0.1:{port}"
        try:
            await here.start_queue()
            await asyncio.sleep(5 + seconds)  # the first minute is unlike the others
            rows = [
                await while_working(here, name, Asker(port, path).run(PER_SECOND, seconds))
                for name, path in paths.items()
            ]
            for name, run in (
                ("queue-status", ask(address + status, FEW_CLIENTS, seconds)),
                ("none", nobody_asks(seconds)),
                ("queue-status", ask(address + status, MANY_CLIENTS, seconds)),
            ):
                rows.append(await while_working(here, name, run))
            if arguments.search:
                search = ask(f"{address}{products}?search=no-such-product", 1, 15)
                rows.append(await while_working(here, "search, no match", search))
        finally:
            server.stop()
            await here.stop_queue()
    return rows


def judge(rows: list[dict[str, Any]]) -> list[str]:
    """Each target, and whether it was met."""
    status, first, middle, _, alone, crowd = rows[:6]
    slower = 1 - crowd["calls of the queue"] / max(alone["calls of the queue"], 1)
    findings = {
        f"queue-status, p99 below {STATUS_MS:g} ms": status["p99 ms"] < STATUS_MS,
        f"both pages, p99 below {LIST_MS:g} ms": max(first["p99 ms"], middle["p99 ms"]) < LIST_MS,
        f"{MANY_CLIENTS} clients: no error": crowd["errors"] == 0,
        f"{MANY_CLIENTS} clients: queue slower by {slower:.1%}, at most {SLOWER:.0%}": slower
        <= SLOWER,
    }
    return [f"{name}: {'met' if met else 'MISSED'}" for name, met in findings.items()]


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--rpm", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each run lasts")
    parser.add_argument("--search", action="store_true", help="measure a search without a match")
    parser.add_argument("--folder", type=Path, help="keep the database here for the next time")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed; most distributions have a package of that name.")
    with _folder(arguments.folder) as folder:
        rows = uvloop.run(measure(folder, arguments))
    if arguments.json:
        print(json.dumps(rows))
        return
    print_table(f"{arguments.products:,} products, {arguments.rpm:,} calls a minute", rows)
    print("\n".join(judge(rows)))


if __name__ == "__main__":
    main()
