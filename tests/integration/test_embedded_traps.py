"""What lies in the data directory in place of our files: nothing is waited for, followed or
believed, and the message names what to delete.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from weighbridge.embedded_postgres import processes
from weighbridge.embedded_postgres.cluster import failure_reasons
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.errors import DatabaseUnavailable
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="there are no pipes in folders here (Windows)"
)
LOCKS = (".users.lock", ".starting.lock", ".server.lock")
MADE = ("postmaster.pid", "weighbridge.secret", "pg_hba.conf", "log", ".s.PGSQL.5432")


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was used and left cleanly."""
    folder = tmp_path_factory.mktemp("embedded") / "data"
    with served(folder):
        pass
    return folder


@pytest.fixture
def data_dir(pattern: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it; whatever the test leaves running in it is ended."""
    folder = tmp_path / "data"
    subprocess.run(["/bin/cp", "-a", pattern, folder], check=True)
    yield folder
    for process in processes.processes_of(folder / "postgres"):
        processes.kill(process)


@contextmanager
def served(data_dir: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(data_dir)
    server.join()
    try:
        yield server
    finally:
        server.leave()


def in_the_data_directory(data_dir: Path, name: str) -> Path:
    return data_dir / name if name in LOCKS else data_dir / "postgres" / name


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_refused_by_name(data_dir: Path, path: Path) -> bool:
    """Whether it is; otherwise the server came up in spite of it."""
    try:
        with served(data_dir):
            return False
    except DatabaseUnavailable as error:
        said = str(error)
    assert path.name in said
    return True


@pytest.mark.parametrize("name", [*LOCKS, *MADE])
@pytest.mark.parametrize("kind", ["pipe", "pipe that somebody holds", "folder", "link to itself"])
def test_what_lies_in_place_of_a_file_is_named_and_goes_away_with_it(
    data_dir: Path, name: str, kind: str
) -> None:
    path = in_the_data_directory(data_dir, name)
    path.unlink(missing_ok=True)
    held = None
    if kind == "folder":
        path.mkdir()
    elif kind == "link to itself":
        path.symlink_to(path)
    else:
        os.mkfifo(path)
    if kind == "pipe that somebody holds":
        held = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        if is_refused_by_name(data_dir, path):
            remove(path)
    finally:
        if held is not None:
            os.close(held)
    with served(data_dir) as server:
        assert processes.postmaster_of(server.pgdata) is not None


def test_database_that_is_a_link_is_refused_and_what_it_leads_to_is_left_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "postgres").symlink_to(data_dir / "postgres")
    with served(data_dir) as server:
        postmaster = processes.postmaster_of(server.pgdata)
        with pytest.raises(DatabaseUnavailable, match=r"is a link.*WEIGHBRIDGE_DATA_DIR"):
            EmbeddedServer(other).join()
        assert postmaster is not None
        assert processes.is_alive(postmaster)


def test_data_directory_may_be_a_link_of_its_own(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data_dir)
    with served(data_dir) as server, served(tmp_path / "link") as through_link:
        assert processes.postmaster_of(server.pgdata) == processes.postmaster_of(
            through_link.pgdata
        )


@pytest.mark.parametrize("variable", ["TMPDIR", "HOME"])
@pytest.mark.parametrize("value", ["", "/nowhere", "/dev/null", "/proc/1", "/" + "t" * 200])
def test_odd_environment_does_not_keep_the_server_down(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("tempfile.tempdir", None)
    with served(data_dir) as server:
        assert processes.postmaster_of(server.pgdata) is not None


def test_full_disk_is_named_although_postgresql_says_more_after_it() -> None:
    said = failure_reasons(
        "creating template1\n2026-11-27 16:12:20.123 UTC [99] FATAL:  could not extend file "
        '"base/1/2": No space left on device\nSTATEMENT:  CREATE DATABASE template0;\n'
        "child process exited with exit code 1\ninitdb: removing contents of data directory\n"
    )
    assert said == 'FATAL:  could not extend file "base/1/2": No space left on device'


def test_without_a_home_directory_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_: str) -> str:
        raise RuntimeError("no home")

    monkeypatch.setattr("platformdirs.unix.Unix.user_data_dir", property(no_home))
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(DatabaseUnavailable, match=r"no home directory.*WEIGHBRIDGE_DATA_DIR"):
        EmbeddedServer(load_settings().data_dir)
