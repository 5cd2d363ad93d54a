"""The embedded PostgreSQL under everything that kills, moves, copies and power cuts do to its
directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
import pytest

from weighbridge.embedded_postgres import processes
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.embedded_postgres.waiting import wait_until
from weighbridge.errors import DatabaseUnavailable
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was used and left cleanly: making one takes seconds, copying it does
    not.
    """
    folder = tmp_path_factory.mktemp("embedded") / "data"
    server = EmbeddedServer(folder)
    server.join()
    server.leave()
    return folder


@pytest.fixture
def data_dir(pattern: Path, tmp_path: Path) -> Iterator[Path]:
    """A data directory of its own; whatever the test leaves running in it is ended."""
    folder = tmp_path / "data"
    copy_as_it_is(pattern, folder)
    yield folder
    for place in tmp_path.rglob("postgres"):
        for process in processes.processes_of(place):
            processes.kill(process)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of our business."""
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        yield process
        assert process.poll() is None, "it was killed"
        process.kill()


def copy_as_it_is(source: Path, target: Path) -> None:
    """With owners, modes, times and special files, as a backup would be."""
    subprocess.run(["/bin/cp", "-a", source, target], check=True)


def kill_the_server(data_dir: Path) -> None:
    postmaster = processes.postmaster_of(data_dir / "postgres")
    assert postmaster is not None
    postmaster.kill()
    assert wait_until(lambda: not processes.is_alive(postmaster), 30)


def nothing_runs(data_dir: Path) -> bool:
    return not processes.processes_of(data_dir / "postgres")


@pytest.fixture(scope="module")
def served(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that runs through the whole module."""
    folder = tmp_path_factory.mktemp("served") / "data"
    copy_as_it_is(pattern, folder)
    server = EmbeddedServer(folder)
    yield server.join()
    server.leave()


async def connected(url: str) -> asyncpg.Connection[Any]:
    """A connection; tried again as the program does it: the last processes of a killed server can
    still break one off.
    """
    async with asyncio.timeout(30):
        while True:
            try:
                return await asyncpg.connect(url)
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                await asyncio.sleep(0.1)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def write(url: str, value: int) -> list[int]:
    """Add a number; returns all that are there."""
    connection = await connected(url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS numbers (n integer)")
        await connection.execute("INSERT INTO numbers VALUES ($1)", value)
        return [row["n"] for row in await connection.fetch("SELECT n FROM numbers ORDER BY n")]
    finally:
        await connection.close()


def use_once(data_dir: Path, value: int) -> list[int]:
    server = EmbeddedServer(data_dir)
    url = server.join()
    try:
        return asyncio.run(write(url, value))
    finally:
        server.leave()


def test_the_last_user_stops_the_server_and_no_earlier_one(data_dir: Path) -> None:
    first, second = EmbeddedServer(data_dir), EmbeddedServer(data_dir)
    assert first.join() == second.join()
    first.leave()
    assert asyncio.run(write(second.join(), 1)) == [1]
    second.leave()
    assert nothing_runs(data_dir)


@pytest.mark.parametrize(
    "attack",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET listen_addresses = '*'",
        "ALTER ROLE weighbridge SUPERUSER",
        "CREATE ROLE other LOGIN",
        "SET ROLE postgres",
    ],
)
def test_the_role_is_no_superuser_and_reaches_nothing_outside_its_database(
    served: str, attack: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(execute(served, attack))


@pytest.mark.parametrize(
    "login", ["postgres:", "postgres:x", "weighbridge:", "weighbridge:wrong", "other:"]
)
def test_nobody_comes_in_without_the_password(served: str, login: str) -> None:
    _, _, place = served.partition("@")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        asyncio.run(execute(f"postgresql://{login}@{place}", "SELECT 1"))


def test_the_socket_lies_in_a_folder_for_its_owner_only_and_nothing_listens_on_tcp(
    data_dir: Path,
) -> None:
    server = EmbeddedServer(data_dir)
    server.join()
    assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700
    assert stat.S_ISSOCK((data_dir / "postgres" / ".s.PGSQL.5432").lstat().st_mode)
    secret = data_dir / "postgres" / "weighbridge.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    looked_at = 0
    for process in processes.processes_of(data_dir / "postgres"):
        with contextlib.suppress(psutil.NoSuchProcess):  # those of the start have ended meanwhile
            assert not process.net_connections(kind="inet")
            looked_at += 1
    assert looked_at
    server.leave()


@pytest.mark.parametrize("name", ["a" * 200, "with, comma & space?", "größe %41"])
def test_any_path_will_do(data_dir: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name / "d"
    place.parent.mkdir()
    data_dir.rename(place)
    assert use_once(place, 1) == [1]
    assert nothing_runs(place)


def test_a_killed_server_is_started_again_with_everything(data_dir: Path) -> None:
    assert use_once(data_dir, 1) == [1]
    server = EmbeddedServer(data_dir)
    server.join()
    kill_the_server(data_dir)
    assert use_once(data_dir, 2) == [1, 2]
    server.leave()
    assert nothing_runs(data_dir)


def test_an_open_database_starts_its_killed_server_again(data_dir: Path) -> None:
    async def lose_the_server() -> int:
        database = await open_database(None, data_dir)
        kill_the_server(data_dir)
        connection = await database.connect()
        count = int(await connection.fetchval("SELECT count(*) FROM products"))
        await connection.close()
        await database.close()
        return count

    assert asyncio.run(lose_the_server()) == 0
    assert nothing_runs(data_dir)


@pytest.mark.parametrize("kept_lines", [0, 1, 2, 3, 5, 8])
def test_a_left_over_number_is_no_server_however_it_was_cut_off(
    data_dir: Path, stranger: subprocess.Popen[bytes], kept_lines: int
) -> None:
    place = data_dir / "postgres"
    lines = [str(stranger.pid), str(place), "1700000000", "5432", str(place), "", "1 2", "ready"]
    (place / "postmaster.pid").write_text("\n".join(lines[:kept_lines]))
    (place / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n")
    assert use_once(data_dir, 1) == [1]
    assert nothing_runs(data_dir)


@pytest.mark.parametrize(
    "number",
    ["1", "0", "-1", "99999999999999999999", "x", "\0", "²", "9" * 5_000],
    ids=["init", "0", "negative", "20 digits", "letter", "NUL", "superscript", "5,000 digits"],
)
def test_whatever_stands_in_the_left_over_file_is_survived(data_dir: Path, number: str) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{number}\n/elsewhere\n1\n")
    assert use_once(data_dir, 1) == [1]


def test_a_running_server_is_found_although_its_file_was_cut_off(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    server.join()
    (data_dir / "postgres" / "postmaster.pid").write_text("")
    server.leave()
    assert nothing_runs(data_dir)


def test_a_copy_of_a_directory_at_rest_is_a_database_of_its_own(
    data_dir: Path, tmp_path: Path
) -> None:
    assert use_once(data_dir, 1) == [1]
    copy_as_it_is(data_dir, tmp_path / "copy")
    server = EmbeddedServer(data_dir)
    server.join()
    assert use_once(tmp_path / "copy", 2) == [1, 2]
    assert use_once(data_dir, 3) == [1, 3]
    server.leave()


def test_a_copy_of_a_directory_in_use_is_refused_for_good_and_leaves_the_original_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    server = EmbeddedServer(data_dir)
    url = server.join()
    copy = tmp_path / "copy"
    copy_as_it_is(data_dir, copy)
    with pytest.raises(DatabaseUnavailable, match="in use while it was copied"):
        EmbeddedServer(copy).join()
    assert asyncio.run(write(url, 1)) == [1]
    server.leave()
    with pytest.raises(DatabaseUnavailable, match="in use while it was copied"):
        EmbeddedServer(copy).join()
    (copy / "postgres" / "copied-while-in-use").unlink()
    assert use_once(copy, 2) == [2]


def test_a_directory_that_was_moved_while_its_server_ran_is_used_where_it_is(
    data_dir: Path, tmp_path: Path
) -> None:
    assert use_once(data_dir, 1) == [1]
    killed = subprocess.Popen(
        [sys.executable, "-c", _JOIN_AND_WAIT, str(data_dir)], stdout=subprocess.PIPE
    )
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    data_dir.rename(tmp_path / "moved")
    assert use_once(tmp_path / "moved", 2) == [1, 2]
    assert nothing_runs(tmp_path / "moved")


_JOIN_AND_WAIT = """
import sys, time
from pathlib import Path
from weighbridge.embedded_postgres.server import EmbeddedServer
EmbeddedServer(Path(sys.argv[1])).join()
print("joined", flush=True)
time.sleep(600)
"""


def test_another_postgresql_is_never_taken_for_ours(data_dir: Path, tmp_path: Path) -> None:
    copy_as_it_is(data_dir, tmp_path / "other")
    other = EmbeddedServer(tmp_path / "other")
    url = other.join()
    theirs = (tmp_path / "other" / "postgres" / "postmaster.pid").read_text()
    (data_dir / "postgres" / "postmaster.pid").write_text(theirs)
    assert use_once(data_dir, 1) == [1]
    assert asyncio.run(write(url, 2)) == [2]
    other.leave()


def test_a_half_made_directory_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "data" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert use_once(tmp_path / "data", 1) == [1]
    assert not half.exists()


def test_a_directory_that_is_still_being_made_by_what_a_kill_left_is_waited_for(
    tmp_path: Path,
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", _JOIN_AND_WAIT, str(tmp_path / "data")])
    draft = tmp_path / "data" / "postgres.new"
    assert wait_until(lambda: (draft / "PG_VERSION").exists() or draft.with_suffix("").exists(), 60)
    killed.kill()
    killed.wait()
    assert use_once(tmp_path / "data", 1) == [1]
    assert processes.processes_of(draft) == []
    assert nothing_runs(tmp_path / "data")


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    with (data_dir / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        EmbeddedServer(data_dir).join()
    assert nothing_runs(data_dir)


def test_a_directory_of_another_version_of_postgresql_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseUnavailable, match="made by PostgreSQL 16"):
        EmbeddedServer(data_dir).join()


def test_a_damaged_password_file_is_replaced(data_dir: Path) -> None:
    assert use_once(data_dir, 1) == [1]
    (data_dir / "postgres" / "weighbridge.secret").write_text("cut")
    assert use_once(data_dir, 2) == [1, 2]


def test_a_socket_that_is_left_leads_to_nobody_else(data_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        folder = os.open(data_dir / "postgres", os.O_RDONLY)
        left.bind(f"/proc/self/fd/{folder}/.s.PGSQL.5432")
        os.close(folder)
    assert use_once(data_dir, 1) == [1]


def test_keys_of_ours_are_not_in_the_servers_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server = EmbeddedServer(data_dir)
    server.join()
    postmaster = processes.postmaster_of(data_dir / "postgres")
    assert postmaster is not None
    assert "OPENAI_API_KEY" not in postmaster.environ()
    server.leave()


def test_what_outlives_a_killed_server_is_gone_before_the_next_one_starts(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    server.join()
    children = processes.processes_of(data_dir / "postgres")
    kill_the_server(data_dir)
    assert use_once(data_dir, 1) == [1]
    assert not any(processes.is_alive(child) for child in children)
    server.leave()
    assert nothing_runs(data_dir)


def test_a_deleted_directory_is_begun_anew(data_dir: Path) -> None:
    assert use_once(data_dir, 1) == [1]
    shutil.rmtree(data_dir)
    assert use_once(data_dir, 2) == [2]


def test_a_process_that_has_our_name_and_another_directory_is_not_ours(
    data_dir: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "postgres.d" / "postgres"
    fake.parent.mkdir()
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copy(sleep, fake)
    with subprocess.Popen([str(fake), "600"], cwd=tmp_path) as process:
        (data_dir / "postgres" / "postmaster.pid").write_text(f"{process.pid}\n")
        assert psutil.Process(process.pid).name() == "postgres"
        assert processes.postmaster_of(data_dir / "postgres") is None
        EmbeddedServer(data_dir).stop()
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
