"""Several users on one host: nobody but the owner gets at the database, and root takes nothing from
anybody.

Needs root, who alone can be somebody else. CI runs as root.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from weighbridge.embedded_postgres import processes, programs
from weighbridge.embedded_postgres.account import OsAccount, is_root
from weighbridge.embedded_postgres.address import is_listening
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not is_root(), reason="only root can be two users of one host (CI runs as root)"
)
OWNER: Final = f"wb-test-{os.getpid()}"
"""A name of its own for each process that tests: it is removed at the end."""
STRANGER: Final = 61_234
"""A user of this host, without a name."""


@pytest.fixture(scope="module")
def owner() -> Iterator[OsAccount]:
    """An ordinary user, who is removed again."""
    import pwd

    subprocess.run(["/usr/sbin/useradd", "--no-create-home", OWNER], check=False)
    entry = pwd.getpwnam(OWNER)
    yield OsAccount(entry.pw_uid, entry.pw_gid)
    subprocess.run(["/usr/sbin/userdel", OWNER], check=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, as /home and /tmp are. pytest's own may not be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def home(open_folder: Path, owner: OsAccount) -> Path:
    """The owner's, open to look at."""
    folder = open_folder / "home"
    folder.mkdir(mode=0o755)
    os.chown(folder, owner.uid, owner.gid)
    return folder


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """This process, as another user."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@contextmanager
def served(data_dir: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(data_dir)
    server.join()
    try:
        yield server
    finally:
        server.leave()


def owners_and_modes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for path in (folder, *folder.parents, *folder.rglob("*")):
        status = path.lstat()
        found[path] = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    return found


def user_of_server(server: EmbeddedServer) -> int:
    postmaster = processes.postmaster_of(server.pgdata)
    assert postmaster is not None
    return int(postmaster.uids().effective)


@pytest.mark.parametrize("name", ["data", "d" * 120], ids=["short path", "long path"])
@pytest.mark.parametrize("whose", ["root", "owner"])
def test_another_user_reaches_neither_socket_nor_files(
    open_folder: Path, home: Path, name: str, whose: str
) -> None:
    data_dir = (home if whose == "owner" else open_folder) / name
    with served(data_dir) as server, acting_as(STRANGER):
        with pytest.raises(PermissionError):
            next(server.pgdata.iterdir())
        for path in (server.pgdata / "weighbridge.secret", data_dir / ".users.lock"):
            with pytest.raises(PermissionError):
                path.read_bytes()
        assert not is_listening(server.pgdata, server.pgdata)


def test_a_data_directory_that_everybody_may_enter_is_closed_further_down(home: Path) -> None:
    data_dir = home / "data"
    data_dir.mkdir(mode=0o777)
    data_dir.chmod(0o777)
    with served(data_dir) as server, acting_as(STRANGER):
        with pytest.raises(PermissionError):
            next(server.pgdata.iterdir())
        with pytest.raises(PermissionError):
            (data_dir / ".users.lock").open()
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o777


def test_root_leaves_owners_and_modes_as_they_were(home: Path, owner: OsAccount) -> None:
    with served(home / "data") as server:
        assert user_of_server(server) == owner.uid
    before = owners_and_modes(home / "data")
    with served(home / "data"):
        pass
    after = owners_and_modes(home / "data")
    assert {path: after[path] for path in before.keys() & after.keys()} == {
        path: before[path] for path in before.keys() & after.keys()
    }
    assert {after[path][0] for path in after if path.is_relative_to(home)} == {owner.uid}


def test_roots_own_database_runs_as_the_system_user_and_opens_no_folder(open_folder: Path) -> None:
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    before = owners_and_modes(private)
    with served(private / "deep" / "data") as server:
        import pwd

        assert user_of_server(server) == pwd.getpwnam("weighbridge").pw_uid
    after = owners_and_modes(private)
    assert {path: after[path] for path in before} == before
    assert after[private / "deep" / "data"] == (0, 0, 0o700)


def test_a_database_that_was_given_to_root_is_refused_with_the_command_that_gives_it_back(
    open_folder: Path,
) -> None:
    with served(open_folder / "data"):
        pass
    os.chown(open_folder / "data" / "postgres", 0, 0)
    with pytest.raises(DatabaseUnavailable, match="chown -R weighbridge: /tmp/"):
        EmbeddedServer(open_folder / "data").join()


def test_a_database_of_somebody_else_is_refused_with_his_name(home: Path) -> None:
    (home / "data").mkdir(mode=0o755)
    with served(home / "data"):
        pass
    with (
        acting_as(STRANGER),
        pytest.raises(
            DatabaseUnavailable, match=r"/data belongs to root\. Run Weighbridge as that"
        ),
    ):
        EmbeddedServer(home / "data").join()


@pytest.mark.parametrize("name", [".users.lock", ".starting.lock", ".server.lock"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_root_follows_no_link_that_an_owner_has_laid(
    open_folder: Path, home: Path, owner: OsAccount, name: str, kind: str
) -> None:
    target = open_folder / "of-root"
    target.write_text("precious")
    target.chmod(0o600)
    (home / "data").mkdir()
    os.chown(home / "data", owner.uid, owner.gid)
    if kind == "link":
        (home / "data" / name).symlink_to(target)
    else:
        os.mkfifo(home / "data" / name)
    with suppress(DatabaseUnavailable), served(home / "data"):
        pass
    assert (target.read_text(), target.stat().st_uid) == ("precious", 0)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["weighbridge.secret", "pg_hba.conf"])
def test_root_neither_reads_nor_writes_through_a_link_in_the_database(
    open_folder: Path, home: Path, name: str
) -> None:
    with served(home / "data") as server:
        pass
    target = open_folder / "of-root"
    target.write_text("f" * 64)
    (server.pgdata / name).unlink()
    (server.pgdata / name).symlink_to(target)
    with suppress(DatabaseUnavailable), served(home / "data"):
        pass
    assert (target.read_text(), target.stat().st_uid) == ("f" * 64, 0)


def test_a_process_of_another_user_is_not_signalled(home: Path, tmp_path: Path) -> None:
    with served(home / "data") as server:
        pass
    fake = tmp_path / "postgres"
    fake.write_bytes(Path("/bin/sleep").read_bytes())
    fake.chmod(0o755)
    with subprocess.Popen([str(fake), "600"], cwd=server.pgdata) as process:
        (server.pgdata / "postmaster.pid").write_text(f"{process.pid}\n")
        with served(home / "data"):
            pass
        assert process.poll() is None
        process.kill()


@pytest.mark.parametrize("name", [".users.lock", ".starting.lock", ".server.lock"])
def test_lock_that_another_user_may_hold_is_refused(open_folder: Path, name: str) -> None:
    data_dir = open_folder / "data"
    data_dir.mkdir()
    data_dir.chmod(0o777)
    (data_dir / name).touch()
    os.chown(data_dir / name, STRANGER, STRANGER)
    with (
        pytest.raises(DatabaseUnavailable, match=f"{name} belongs to another user"),
        served(data_dir),
    ):
        pass


def test_database_that_anybody_may_have_put_there_is_refused(open_folder: Path, home: Path) -> None:
    with served(home / "data"):
        pass
    data_dir = open_folder / "data"
    data_dir.mkdir()
    data_dir.chmod(0o1777)
    (home / "data" / "postgres").rename(data_dir / "postgres")
    with pytest.raises(DatabaseUnavailable, match="chmod o-w"), served(data_dir):
        pass
    data_dir.chmod(0o755)
    with served(data_dir):
        pass


def test_user_without_a_name_is_told_so(open_folder: Path) -> None:
    data_dir = make_for(open_folder / "data", STRANGER)
    with pytest.raises(DatabaseUnavailable, match=f"{STRANGER} has no name"), served(data_dir):
        pass


def make_for(folder: Path, uid: int) -> Path:
    folder.mkdir(mode=0o700)
    os.chown(folder, uid, uid)
    return folder


def test_root_is_not_led_to_the_database_of_a_third_user(open_folder: Path, home: Path) -> None:
    with served(home / "data") as victim:
        trap = make_for(open_folder / "trap", STRANGER)
        (trap / "postgres").symlink_to(home / "data" / "postgres")
        with pytest.raises(DatabaseUnavailable, match="is a link"):
            EmbeddedServer(trap).join()
        assert victim.pgdata.is_dir()
        assert processes.postmaster_of(victim.pgdata) is not None


def test_hard_link_to_a_file_of_root_changes_nothing_in_it(home: Path, owner: OsAccount) -> None:
    with served(home / "data"):
        pass
    precious = home.parent / "of-root"
    precious.write_text("f" * 64)
    precious.chmod(0o600)
    places = [home / "data" / ".users.lock", home / "data" / "postgres" / "pg_hba.conf"]
    for place in places:
        place.unlink()
        place.hardlink_to(precious)
    with served(home / "data"):
        pass
    status = precious.stat()
    assert (precious.read_text(), status.st_uid) == ("f" * 64, 0)
    assert stat.S_IMODE(status.st_mode) == 0o600


@pytest.mark.parametrize("flaw", ["of another user", "open", "link"])
def test_programs_are_never_taken_from_a_folder_that_others_may_write(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, flaw: str
) -> None:
    shared = open_folder / "shared"
    shared.mkdir(mode=0o755)
    match flaw:
        case "of another user":
            os.chown(shared, STRANGER, STRANGER)
        case "open":
            shared.chmod(0o777)
        case _:
            shared.rename(open_folder / "elsewhere")
            shared.symlink_to(open_folder / "elsewhere")
    monkeypatch.setattr(programs, "_SHARED", shared)
    monkeypatch.setattr(programs, "_everybody_reaches", lambda _: False)
    with (
        pytest.raises(DatabaseUnavailable, match="must be a folder that belongs to root"),
        served(open_folder / "data"),
    ):
        pass
