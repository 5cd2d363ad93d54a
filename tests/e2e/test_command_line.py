"""The commands, as a user types them: real processes, real files, the embedded database, the
simulator.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "catalogue.csv"


class CommandLine:
    """Runs `weighbridge` in a folder of its own, with a data directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251
            "HOME": str(folder),
            "WEIGHBRIDGE_DATA_DIR": str(folder / "data"),
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "weighbridge", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same without waiting for the end."""
        return subprocess.Popen(
            [sys.executable, "-m", "weighbridge", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def weighbridge(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture(scope="module")
def after_a_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[CommandLine, subprocess.CompletedProcess[str]]:
    """The example catalogue, run once."""
    command_line = CommandLine(tmp_path_factory.mktemp("run"))
    return (
        command_line,
        command_line("run", str(EXAMPLE), "--simulate", "--format", "csv,xlsx,jsonl,parquet"),
    )


def test_the_example_catalogue_ends_in_a_table_and_files(
    after_a_run: tuple[CommandLine, subprocess.CompletedProcess[str]],
) -> None:
    command_line, done = after_a_run
    assert done.returncode == 0, done.stderr
    assert "60 completed, 0 failed, 0 left" in done.stdout
    assert "SIMULATED" in done.stdout
    with (command_line.folder / "out" / "results.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert {path.name for path in (command_line.folder / "out").iterdir()} == {
        "results.csv",
        "results.xlsx",
        "results.jsonl",
        "results.parquet",
    }


def test_a_second_run_finds_nothing_to_do_and_makes_no_call(
    after_a_run: tuple[CommandLine, subprocess.CompletedProcess[str]],
) -> None:
    command_line, _ = after_a_run
    again = command_line("run", str(EXAMPLE), "--simulate", "--json")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert (report["calls"], report["database"]["completed"]) == (0, 60)


def test_status_prints_the_json_of_the_http_contract(
    after_a_run: tuple[CommandLine, subprocess.CompletedProcess[str]],
) -> None:
    command_line, _ = after_a_run
    status = json.loads(command_line("status", "--json").stdout)
    assert status["totalProducts"] == 60
    assert status["database"] == {"pending": 0, "processing": 0, "completed": 60, "failed": 0}
    assert status["queue"]["batchSize"] == 500


def test_configuration_changes_are_stored(weighbridge: CommandLine) -> None:
    assert weighbridge("config", "batchSize=200", "pacing=continuous").returncode == 0
    assert json.loads(weighbridge("config", "--json").stdout)["batchSize"] == 200
    refused = weighbridge("config", "batchSize=1001")
    assert refused.returncode == 2
    assert "1 to 1,000" in refused.stderr


def test_tokens_are_added_listed_and_revoked(weighbridge: CommandLine) -> None:
    token = weighbridge("token", "add", "ana").stdout.splitlines()[0]
    assert token.startswith("wb_")
    made = json.loads(weighbridge("token", "add", "ben", "--role", "read-only", "--json").stdout)
    assert (made["name"], made["role"]) == ("ben", "read-only")
    again = weighbridge("token", "add", "ana")
    assert (again.returncode, "A token named ana already exists" in again.stderr) == (2, True)
    assert "read-only" in weighbridge("token", "list").stdout
    assert weighbridge("token", "revoke", "ana").returncode == 0
    gone = weighbridge("token", "revoke", "ana")
    assert (gone.returncode, "no active token named ana" in gone.stderr) == (2, True)
    listed = weighbridge("token", "list", "--json").stdout
    assert [(one["name"], one["revokedAt"] is None) for one in json.loads(listed)] == [
        ("ana", False),
        ("ben", True),
    ]
    assert token not in listed


def test_interrupted_run_drains_and_the_next_one_finishes(weighbridge: CommandLine) -> None:
    # One call after the other: with the first group done, dozens of calls are left to be
    # interrupted.
    running = weighbridge.start(
        "run", str(EXAMPLE), "--simulate", WEIGHBRIDGE_MAX_CONCURRENT_REQUESTS="1"
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "Successfully batch processed" in line:
            break
    running.send_signal(signal.SIGINT)
    _, rest = running.communicate(timeout=300)
    assert running.returncode == 130, rest
    status = json.loads(weighbridge("status", "--json").stdout)["database"]
    assert status["processing"] == 0
    assert status["completed"] > 0
    finished = weighbridge("run", str(EXAMPLE), "--simulate", "--json")
    assert finished.returncode == 0
    assert json.loads(finished.stdout)["database"]["completed"] == 60


def test_limit_imports_only_the_first_products(weighbridge: CommandLine) -> None:
    done = weighbridge("run", str(EXAMPLE), "--simulate", "--limit", "3", "--json")
    assert json.loads(done.stdout)["products"] == 3


def test_steps_together_take_a_third_of_the_calls_and_are_stored(weighbridge: CommandLine) -> None:
    options = ("run", str(EXAMPLE), "--simulate", "--limit", "10", "--json")
    together = json.loads(weighbridge(*options, "--steps", "together").stdout)
    assert together["database"]["completed"] == 10
    assert json.loads(weighbridge("config", "--json").stdout)["askTogether"] is True
    again = json.loads(weighbridge(*options, "--redo").stdout)
    assert again["calls"] == together["calls"]
    apart = json.loads(weighbridge(*options, "--redo", "--steps", "apart").stdout)
    assert apart["calls"] == 3 * together["calls"]
    assert weighbridge("config", "askTogether=true").returncode == 0
    assert json.loads(weighbridge("status", "--json").stdout)["queue"]["askTogether"] is True
    refused = weighbridge("config", "askTogether=1")
    assert (refused.returncode, "true or false" in refused.stderr) == (2, True)


def test_estimate_needs_no_key_and_stores_nothing(weighbridge: CommandLine) -> None:
    estimate = weighbridge("estimate", str(EXAMPLE), "--json")
    assert estimate.returncode == 0, estimate.stderr
    apart = json.loads(estimate.stdout)
    assert apart["products"] == 60
    for given in (["--steps", "together"], []):
        setting = {} if given else {"WEIGHBRIDGE_ASK_TOGETHER": "true"}
        estimate = weighbridge("estimate", str(EXAMPLE), "--json", *given, **setting)
        together = json.loads(estimate.stdout)
        assert together["requests"] * 3 == apart["requests"]
        assert together["input_tokens"] < apart["input_tokens"]
    assert not (weighbridge.folder / "data").exists()


def _is_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_run_without_key_or_simulate_stores_nothing(
    weighbridge: CommandLine,
) -> None:
    _is_refused(weighbridge("run", str(EXAMPLE)), "OPENAI_API_KEY", "--simulate")
    assert not (weighbridge.folder / "data").exists()


def test_an_unknown_model_is_refused(weighbridge: CommandLine) -> None:
    done = weighbridge("run", str(EXAMPLE), "--simulate", WEIGHBRIDGE_MODEL="gpt-9-nonsense")
    _is_refused(done, "gpt-9-nonsense")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "missing.csv", "--simulate"], ["missing.csv", "does not exist"]),
        (["run", ".", "--simulate"], ["is a directory"]),
        (["run", str(EXAMPLE), "--simulate", "--limit", "0"], ["limit"]),
        (["run", str(EXAMPLE), "--simulate", "--format", "docx"], ["docx", "csv"]),
        (["run", str(EXAMPLE), "--simulate", "--map", "colour=x"], ["colour"]),
        (["import", str(Path(__file__))], ["Rename the columns", "--map field=column"]),
        (["serve", "--host", "0.0.0.0", "--simulate"], ["WEIGHBRIDGE_API_TOKEN"]),  # noqa: S104
        (["config", "colour=blue"], ["colour"]),
    ],
)
def test_wrong_usage_gets_a_clear_error(
    weighbridge: CommandLine, arguments: list[str], words: list[str]
) -> None:
    _is_refused(weighbridge(*arguments), *words)


def test_a_zip_bomb_is_refused(weighbridge: CommandLine) -> None:
    bomb = weighbridge.folder / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("xl/workbook.xml", b" " * 300_000_000)
    _is_refused(weighbridge("run", str(bomb), "--simulate"), "bomb.xlsx")


def test_an_unreachable_database_is_refused(weighbridge: CommandLine) -> None:
    done = weighbridge(
        "run",
        str(EXAMPLE),
        "--simulate",
        WEIGHBRIDGE_DATABASE_URL="postgresql://u:secret@127.0.0.1:9/x",
    )
    _is_refused(done, "PostgreSQL")
    assert "secret" not in done.stderr


def test_bad_rows_are_listed_and_good_ones_kept(weighbridge: CommandLine) -> None:
    done = weighbridge(
        "run", str(ROOT / "examples" / "catalogue_with_errors.csv"), "--simulate", "--json"
    )
    assert done.returncode == 0, done.stderr
    with (weighbridge.folder / "out" / "rejected.csv").open(encoding="utf-8-sig") as file:
        rejected = list(csv.DictReader(file))
    report = json.loads(done.stdout)
    assert report["products"] > 0
    assert report["database"]["completed"] == report["products"]
    assert len(rejected) > 3
    assert all(row["reason"] for row in rejected)


def test_json_log_is_json_from_the_first_line_to_the_last(weighbridge: CommandLine) -> None:
    done = weighbridge(
        "run",
        str(EXAMPLE),
        "--simulate",
        "--limit",
        "3",
        WEIGHBRIDGE_LOG_FORMAT="json",
        WEIGHBRIDGE_NO_SUCH_SETTING="1",
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[0]["event"] == "unknown_setting"
    assert all(line["host"] for line in lines)
    assert all(line["worker"] for line in lines if line["event"] == "batch_started")
    refused = weighbridge("run", "missing.csv", WEIGHBRIDGE_LOG_FORMAT="json")
    assert refused.returncode == 2
    (line,) = map(json.loads, refused.stderr.splitlines())
    assert line["level"] == "error"


def test_a_run_stops_at_its_budget_and_goes_on_with_a_higher_one(weighbridge: CommandLine) -> None:
    command = ("run", str(EXAMPLE), "--simulate", "--yes", "--json", "--budget")
    stopped = weighbridge(*command, "0.004")
    assert stopped.returncode == 2, stopped.stderr
    report = json.loads(stopped.stdout)
    assert report["stoppedBecause"].startswith(
        "The budget of $0.0040 for this catalogue is used up"
    )
    assert 0 < report["costUsd"] <= 0.004
    assert report["database"]["failed"] == 0
    assert Path(weighbridge.folder, report["files"][0]).exists()
    done = weighbridge(*command, "1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["database"]["completed"] == 60


def test_only_a_run_that_ends_with_all_answers_says_that_no_call_was_needed(
    weighbridge: CommandLine,
) -> None:
    command = ("run", str(EXAMPLE), "--simulate", "--yes")
    broke = weighbridge(*command, "--budget", "0.0000001")
    assert "60 left · 0 calls" in broke.stdout
    assert "No call was needed" not in broke.stdout
    weighbridge(*command)
    assert "No call was needed" in weighbridge(*command).stdout
