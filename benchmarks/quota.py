"""How full the quota is, and how often the provider says no: our program and the plain SDK side by
side.

    python -m benchmarks.quota [--scenarios A,T,S] [--minutes 4] [--only ours|sdk] [--json]

Scenarios, all with latency lognormal with a median of 4 s:
    A   500 requests and 450,000 tokens a minute, a full minute's quota may come in one burst
    T   2,000 requests and 450,000 tokens a minute, a full minute may burst
    S   as A, but only 5 s of quota may come at once
    R   500 requests and 30 million tokens a minute, 5 s: the requests run out first
(Limits that change in mid-run: `python -m benchmarks.changing_limits`.)

`weighbridge worker` runs as a process of its own on a fresh PostgreSQL. The plain SDK sends the
same prompts with the same allowances in the same order of steps, with a semaphore (100 at a time)
and 10 retries. All figures are the simulator's own count: utilisation is the least time in which
the admitted calls could have been admitted, divided by the time of the last admission; for us, who
keep the limits in every sliding minute, the least time under that rule, and beside it that of the
provider's bucket alone. Scenarios run at the same time, each with a simulator of its own: they wait
much more than they compute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from openai import AsyncOpenAI, OpenAIError

from benchmarks.harness import MODEL, Account, print_table, simulator, site
from benchmarks.plot import draw
from benchmarks.prompts import catalogue_prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import SimulatorServer, Site

LATENCY_S = 4.0
ACCOUNTS = {
    "A": Account(500, 450_000, 60.0, LATENCY_S),
    "T": Account(2_000, 450_000, 60.0, LATENCY_S),
    "S": Account(500, 450_000, 5.0, LATENCY_S),
    "R": Account(500, 30_000_000, 5.0, LATENCY_S),
}
TOKENS_A_CALL = 2_900
"""About what a group of five is charged, to choose how many products fill the wanted minutes."""
GROUP_SIZE = 5
SDK_AT_ONCE = 100
SDK_RETRIES = 10


def products_for(account: Account, minutes: float) -> int:
    """So many products that the quota takes about so long."""
    assert account.requests_per_minute
    assert account.tokens_per_minute
    calls_a_minute = min(account.requests_per_minute, account.tokens_per_minute / TOKENS_A_CALL)
    return int(calls_a_minute * minutes / 3) * GROUP_SIZE


def row(who: str, scenario: str, server: SimulatorServer, failed: int) -> dict[str, Any]:
    """What the simulator counted."""
    books = server.books()
    account = server.account
    used = (books["admitted"], books["admitted_tokens"])
    bucket_s = account.least_s(*used, keeps_minutes=False)
    least_s = account.least_s(*used) if who == "weighbridge" else bucket_s
    return {
        "scenario": scenario,
        "who": who,
        "calls": books["admitted"],
        "tokens": books["admitted_tokens"],
        "last admission s": round(books["span_s"], 1),
        "utilisation": round(least_s / books["span_s"], 4) if books["span_s"] else 0.0,
        "of the bucket alone": round(bucket_s / books["span_s"], 4) if books["span_s"] else 0.0,
        "429s": books["rate_limited"],
        "failed products": failed,
        "most requests in 60 s": books["max_per_minute"]["requests"],
        "most tokens in 60 s": books["max_per_minute"]["tokens"],
        "of tokens": account.tokens_per_minute,
        "most in flight": books["max_in_flight"],
    }


async def ours(scenario: str, minutes: float, folder: Path) -> dict[str, Any]:
    """The whole program."""
    account = ACCOUNTS[scenario]
    limits = {
        "requests_per_minute": account.requests_per_minute or 0,
        "tokens_per_minute": account.tokens_per_minute or 0,
    }
    with simulator(account, folder) as server:
        async with site(folder, server.base_url, limits=limits) as here:
            await here.add_products(products_for(account, minutes))
            worker = here.worker()
            try:
                await here.start_queue()
                counts = await here.until_done(0.2)
            finally:
                worker.stop()
            if CHARGES is not None:
                CHARGES[f"scenario {scenario}"] = await charges(here)
            return row("weighbridge", scenario, server, counts["failed"])


CHARGES: dict[str, list[tuple[float, int]]] | None = None
"""What to draw, when there is to be a plot."""


async def charges(here: Site) -> list[tuple[float, int]]:
    """(seconds after the first call, charged tokens) of each call that was admitted, as we recorded
    it.
    """
    rows = await here.connection.fetch(
        "SELECT extract(epoch FROM started_at - min(started_at) OVER ())::float8 AS at_s,"
        " input_tokens + output_allowance AS tokens FROM calls WHERE outcome = 'ok'"
    )
    return [(found["at_s"], found["tokens"]) for found in rows]


async def plain_sdk(
    scenario: str, server: SimulatorServer, groups: Sequence[Sequence[dict[str, Any]]]
) -> dict[str, Any]:
    """`AsyncOpenAI` with a semaphore and its own retries: what one writes in an afternoon."""
    client = AsyncOpenAI(api_key="sk-simulated", base_url=server.base_url, max_retries=SDK_RETRIES)
    gate = asyncio.Semaphore(SDK_AT_ONCE)
    failed = 0

    async def ask(group: Sequence[dict[str, Any]]) -> None:
        nonlocal failed
        for body in group:
            async with gate:
                try:
                    await client.chat.completions.create(**body)
                except OpenAIError:
                    failed += GROUP_SIZE
                    return

    await asyncio.gather(*map(ask, groups))
    await client.close()
    return row("plain SDK", scenario, server, failed)


async def both(scenario: str, minutes: float, only: str | None) -> list[dict[str, Any]]:
    """Ours, then the SDK with the same prompts on an account of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        account = ACCOUNTS[scenario]
        if only != "sdk":
            rows.append(await ours(scenario, minutes, folder))
            print_table("so far", rows)
    if only != "ours":
        with tempfile.TemporaryDirectory() as name, simulator(account, Path(name)) as server:
            groups = catalogue_prompts(products_for(account, minutes), GROUP_SIZE, MODEL)
            rows.append(await plain_sdk(scenario, server, groups))
            print_table("so far", rows[-1:])
    return rows


async def measure(scenarios: list[str], minutes: float, only: str | None) -> list[dict[str, Any]]:
    """All scenarios at the same time."""
    found = await asyncio.gather(*(both(scenario, minutes, only) for scenario in scenarios))
    return [line for rows in found for line in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenarios", default="A,T,S", help="of A, T, S, R")
    parser.add_argument("--minutes", type=float, default=4.0, help="of quota that a run takes")
    parser.add_argument("--only", choices=["ours", "sdk"])
    parser.add_argument("--plot", type=Path, help="draw the tokens of each last minute into an SVG")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    global CHARGES
    CHARGES = {} if arguments.plot else None
    rows = uvloop.run(measure(arguments.scenarios.split(","), arguments.minutes, arguments.only))
    if CHARGES:
        title = "Simulated: tokens charged in the last 60 s"
        arguments.plot.write_text(draw(title, ACCOUNTS["A"].tokens_per_minute or 0, CHARGES))
    if arguments.json:
        print(json.dumps(rows))
        return
    print_table("quota", rows)
    reached = [line for line in rows if line["who"] == "weighbridge"]
    missed = [
        line["scenario"]
        for line in reached
        if line["utilisation"] < 0.99
        or line["429s"] >= line["calls"] / 100
        or line["failed products"]
        or line["most tokens in 60 s"] > line["of tokens"]
    ]
    print(
        "Target (0.99 used, 429s below 1 %, none failed, never above): "
        + (f"MISSED in {', '.join(missed)}" if missed else "met")
    )


if __name__ == "__main__":
    main()
