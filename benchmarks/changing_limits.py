"""The quota changes while we work: is all of what is then available used again within a minute?

    python -m benchmarks.changing_limits [--scenarios H,H2] [--phase-minutes 3] [--burst 5] [--json]

    H   the provider halves the account's limits, and restores them one phase later
    H2  a second program with the same key takes half of the quota for one phase

The account has 500 requests and 450,000 tokens a minute, of which 5 s may come at once; latency
lognormal with a median of 4 s. `weighbridge worker` runs as a process of its own on a fresh
PostgreSQL, in real time. For each phase: the share of what is available (the provider's limit, less
what the other program took) that we used from 60 s after the change to the phase's end, by the
simulator's books. Target: 0.95, and no failed product. Scenarios run at the same time, each with a
simulator of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvloop
from openai import AsyncOpenAI, OpenAIError, RateLimitError

from benchmarks.harness import MODEL, Account, print_table, simulator, site

if TYPE_CHECKING:
    from benchmarks.harness import SimulatorServer

ACCOUNT: Final = Account(500, 450_000, 5.0, 4.0)
SETTLING_S: Final = 60.0
TARGET: Final = 0.95
WARM_UP_S: Final = 30.0
OTHER: Final = ""
"""Under which the simulator books calls without a schema: those of the second program."""
OTHER_TOKENS: Final = 1_500
TOKENS_A_GROUP: Final = 3 * 2_900


@dataclass(frozen=True, slots=True)
class Count:
    """What the provider had admitted at a moment."""

    at_s: float
    ours: tuple[int, int]  # requests, tokens
    others: tuple[int, int]
    refused: int


async def count(server: SimulatorServer) -> Count:
    """Look into the books."""
    books = await asyncio.to_thread(server.books)
    others = books["calls_by_schema"].get(OTHER, 0), books["tokens_by_schema"].get(OTHER, 0)
    ours = books["admitted"] - others[0], books["admitted_tokens"] - others[1]
    return Count(time.monotonic(), ours, others, books["rate_limited"])


def used(name: str, limits: tuple[int, int], before: Count, after: Count) -> dict[str, Any]:
    """One line: what was there, and how much of it we took. What runs out first is what counts."""
    minutes = (after.at_s - before.at_s) / 60
    ours = [late - early for late, early in zip(after.ours, before.ours, strict=True)]
    others = [late - early for late, early in zip(after.others, before.others, strict=True)]
    available = [limit * minutes - other for limit, other in zip(limits, others, strict=True)]
    shares = [our / there for our, there in zip(ours, available, strict=True)]
    return {
        "phase": name,
        "measured s": round(minutes * 60),
        "limit, tokens a minute": limits[1],
        "the other took a minute": round(others[1] / minutes),
        "available a minute": round(available[1] / minutes),
        "we took a minute": round(ours[1] / minutes),
        "used": round(max(shares), 3),
        "429s of both": after.refused - before.refused,
    }


async def phase(
    name: str, server: SimulatorServer, limits: tuple[int, int], length_s: float
) -> dict[str, Any]:
    """A minute to get used to it, then measure to the end."""
    await asyncio.sleep(SETTLING_S)
    before = await count(server)
    await asyncio.sleep(length_s - SETTLING_S)
    return used(name, limits, before, await count(server))


async def halved(server: SimulatorServer, length_s: float) -> list[dict[str, Any]]:
    """Scenario H."""
    whole = _limits(server.account)
    half = (whole[0] // 2, whole[1] // 2)
    rows = [await phase("whole", server, whole, length_s)]
    for name, limits in (("halved", half), ("restored", whole)):
        changes = {"requests_per_minute": limits[0], "tokens_per_minute": limits[1]}
        await asyncio.to_thread(lambda chosen: server.change(**chosen), changes)
        rows.append(await phase(name, server, limits, length_s))
    return rows


async def shared(server: SimulatorServer, length_s: float) -> list[dict[str, Any]]:
    """Scenario H2."""
    whole = _limits(server.account)
    rows = [await phase("alone", server, whole, length_s)]
    other = asyncio.create_task(second_program(server, whole[1] // 2))
    rows.append(await phase("shared", server, whole, length_s))
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    rows.append(await phase("alone again", server, whole, length_s))
    return rows


def _limits(account: Account) -> tuple[int, int]:
    assert account.requests_per_minute
    assert account.tokens_per_minute
    return account.requests_per_minute, account.tokens_per_minute


async def second_program(server: SimulatorServer, tokens_per_minute: int) -> None:
    """A plain client that wants so many tokens a minute, evenly, and asks again when it is
    refused.
    """
    client = AsyncOpenAI(api_key="sk-simulated", base_url=server.base_url, max_retries=0)

    async def ask(number: int) -> None:
        while True:
            try:
                await client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": f"Something else, no. {number}."}],
                    max_completion_tokens=OTHER_TOKENS - 20,
                )
            except RateLimitError:
                await asyncio.sleep(0.5)
            except OpenAIError:
                return
            else:
                return

    every_s = OTHER_TOKENS / tokens_per_minute * 60
    async with client, asyncio.TaskGroup() as calls:
        number = 0
        while True:
            number += 1
            calls.create_task(ask(number))
            await asyncio.sleep(every_s)


SCENARIOS: Final = {"H": halved, "H2": shared}


async def run(scenario: str, length_s: float, burst_s: float) -> list[dict[str, Any]]:
    """One scenario from beginning to end; the queue is then stopped with work left."""
    account = Account(ACCOUNT.requests_per_minute, ACCOUNT.tokens_per_minute, burst_s, 4.0)
    requests, tokens = _limits(account)
    limits = {"requests_per_minute": requests, "tokens_per_minute": tokens}
    with tempfile.TemporaryDirectory() as name, simulator(account, Path(name)) as server:
        async with site(Path(name), server.base_url, limits=limits) as here:
            minutes = (WARM_UP_S + 3 * length_s) / 60
            await here.add_products(int(tokens * (minutes + 2) / TOKENS_A_GROUP) * 5)
            worker = here.worker()
            try:
                await here.start_queue()
                await asyncio.sleep(WARM_UP_S)
                rows = await SCENARIOS[scenario](server, length_s)
                await here.stop_queue()
                counts = await here.counts()
            finally:
                worker.stop()
            books = server.books()
            for row in rows:
                row["failed products"] = counts["failed"]
                row["most of ours and theirs in 60 s"] = books["max_per_minute"]["tokens"]
            assert counts["pending"] + counts["processing"], "the catalogue was too small"
            return [{"scenario": scenario, **row} for row in rows]


async def measure(scenarios: list[str], length_s: float, burst_s: float) -> list[dict[str, Any]]:
    """All scenarios at the same time."""
    found = await asyncio.gather(*(run(name, length_s, burst_s) for name in scenarios))
    return [row for rows in found for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenarios", default="H,H2", help="of H, H2")
    parser.add_argument("--phase-minutes", type=float, default=3.0, help="more than one")
    parser.add_argument("--burst", type=float, default=ACCOUNT.burst_s, help="seconds of quota")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    rows = uvloop.run(measure(asked.scenarios.split(","), asked.phase_minutes * 60, asked.burst))
    if asked.json:
        print(json.dumps(rows))
        return
    print_table("limits that change, from 60 s after each change", rows)
    met = all(row["used"] >= TARGET and not row["failed products"] for row in rows)
    print(f"Target ({TARGET} of what is available, none failed): {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
