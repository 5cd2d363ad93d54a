"""`evaluate` on the command line: answers from a recording, the simulator and a provider."""

from __future__ import annotations

import asyncio
import csv
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.support.loopback import loopback
from weighbridge.cli.main import app as command_line
from weighbridge.clock import SystemClock
from weighbridge.simulator.app import create_app
from weighbridge.simulator.config import SimulatorConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples"
KETTLE, PHONE, LONG = "KTL-17-ST", "PHN-61-128", "LONG-NAME"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two products of the sample catalogue and one that cannot be read, with published figures."""
    with (EXAMPLES / "catalogue.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["code"] in (KETTLE, PHONE)]
    rows.append({**rows[0], "code": LONG, "name": "n" * 5_000})
    catalogue, truth = tmp_path / "catalogue.csv", tmp_path / "truth.csv"
    with catalogue.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "image": ""} for row in rows)
    truth.write_text(
        "code,kg_co2e,sector,company\n"
        f"{KETTLE},9,kitchen,Acme\n{PHONE},40,devices,Other\n{LONG},5,kitchen,Acme\n"
    )
    return catalogue, truth


def evaluated(
    files: tuple[Path, Path], *options: str, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    catalogue, truth = files
    arguments = ["evaluate", str(catalogue), "--truth", str(truth), "--json", *options]
    arguments += ["--out", str(catalogue.parent / "out")]
    done = CliRunner().invoke(command_line, arguments, env=dict(env or {}))
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@asynccontextmanager
async def simulator_on_a_port() -> AsyncIterator[dict[str, str]]:
    """The simulator as somebody's server: the settings that ask it."""
    simulator = create_app(SimulatorConfig(), SystemClock())

    async def served(scope: Any, receive: Any, send: Any) -> None:
        async def passed_on(message: Any) -> None:  # the server counts the bytes itself
            headers = [one for one in message.get("headers", ()) if one[0] != b"content-length"]
            await send({**message, "headers": headers} if "headers" in message else message)

        await simulator(scope, receive, passed_on)

    async with loopback(served) as server:
        yield {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-of-a-test"}


def rows_of(found: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in found["scores"]}


def test_recorded_answers_are_judged_the_same_every_time_without_a_key(
    files: tuple[Path, Path],
) -> None:
    recording = str(EXAMPLES / "catalogue.answers.jsonl")
    found = evaluated(files, "--answers", recording)
    assert "recorded 2026-11-27" in found["answers"]
    assert rows_of(found)["all rows"]["products"] == 2
    assert rows_of(found)["kitchen"]["products"] == 1
    assert rows_of(found)["all rows"]["within_2"] == 1.0
    assert list(found["leftOut"]) == [LONG]
    assert "more than" in found["leftOut"][LONG]
    assert evaluated(files, "--answers", recording) == found
    table = (files[0].parent / "out" / "evaluation.csv").read_text().splitlines()
    assert len(table) == 3
    assert "<circle" in (files[0].parent / "out" / "evaluation.svg").read_text()


def test_simulated_answers_are_labelled_so(files: tuple[Path, Path]) -> None:
    found = evaluated(files, "--simulate")
    assert found["answers"].endswith("simulated")
    assert rows_of(found)["all rows"]["products"] == 2
    plot = (files[0].parent / "out" / "evaluation.svg").read_text()
    assert "simulated" in plot


async def test_a_provider_is_asked_once_for_each_group(files: tuple[Path, Path]) -> None:
    async with simulator_on_a_port() as env:
        found = await asyncio.to_thread(evaluated, files, env=env)
    # It answers through its own address, says that it is a simulator, and is labelled so.
    assert found["answers"].endswith("simulated")
    assert rows_of(found)["all rows"]["products"] == 2


async def test_products_of_a_provider_that_fails_are_left_out_with_the_reason(
    files: tuple[Path, Path],
) -> None:
    poisoned = files[0].read_text().replace("Smartphone", "POISON phone")
    files[0].write_text(poisoned)
    async with simulator_on_a_port() as env:
        arguments = ["evaluate", str(files[0]), "--truth", str(files[1])]
        arguments += ["--out", str(files[0].parent / "out")]
        done = await asyncio.to_thread(CliRunner().invoke, command_line, arguments, env=env)
    assert "Left out: " in done.output
    assert PHONE in done.output


def test_two_sources_of_answers_are_refused(files: tuple[Path, Path]) -> None:
    recording = str(EXAMPLES / "catalogue.answers.jsonl")
    arguments = ["evaluate", str(files[0]), "--truth", str(files[1]), "--simulate"]
    done = CliRunner().invoke(command_line, [*arguments, "--answers", recording])
    assert done.exit_code != 0


def test_prompts_names_the_rows_that_nothing_is_asked_about(files: tuple[Path, Path]) -> None:
    arguments = ["prompts", str(files[0]), "--out", str(files[0].parent / "prompts")]
    said = CliRunner().invoke(command_line, arguments)
    assert said.exit_code == 0, said.output
    assert "1 row rejected" in said.output
    assert f"row 4 ({LONG})" in said.output
    found = json.loads(CliRunner().invoke(command_line, [*arguments, "--json"]).stdout)
    assert [one["code"] for one in found["rejectedRows"]] == [LONG]
