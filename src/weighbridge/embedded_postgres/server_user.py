"""Decides which user of the host runs PostgreSQL, which refuses to run as root. No other user's
files get a new owner.

An ordinary user runs it under their own account. Root runs it as the owner of the data directory
or, if that is root too, as the system user `weighbridge`, which can do nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from weighbridge.embedded_postgres.account import OsAccount, is_root, owner_of
from weighbridge.embedded_postgres.files import make_folder
from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM_USER: Final = "weighbridge"
_ADD_USER: Final = (
    *("useradd", "--system", "--user-group", "--no-create-home"),
    *("--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SYSTEM_USER),
)


def absolute_data_dir(data_dir: Path) -> Path:
    """The absolute path of the data directory; `~` is the home directory.

    Raises:
        DatabaseUnavailable: the path begins with `~`, and there is no home directory.
    """
    try:
        return data_dir.expanduser().absolute()
    except RuntimeError:
        raise DatabaseUnavailable(
            f"There is no home directory for {data_dir}: HOME is not set, and this user is not in "
            "the list of users. Choose a folder with WEIGHBRIDGE_DATA_DIR."
        ) from None


def make_data_folder(data_dir: Path) -> None:
    """Make the data directory and the missing folders above it. Each gets the owner of the folder
    that it is in.
    """
    missing = [folder for folder in (data_dir, *data_dir.parents) if not folder.exists()]
    for folder in reversed(missing):
        make_folder(folder, owner_of(folder.parent))


def server_account(data_dir: Path, pgdata: Path) -> OsAccount | None:
    """The account that must run the server of this directory; None for the current user.

    Raises:
        DatabaseUnavailable: the directory belongs to another user; or this process is root, and
            there is no ordinary user to run the server.
    """
    if pgdata.is_symlink():
        raise DatabaseUnavailable(
            f"{pgdata} is a link. The locks that protect the database lie beside it, so the whole "
            "data directory must be moved: move it, and set WEIGHBRIDGE_DATA_DIR to its new place."
        )
    if is_root():
        _refuse_foreign_database(data_dir, pgdata)
        return owner_of(pgdata if pgdata.exists() else data_dir) or _system_user(pgdata)
    for place in (data_dir, pgdata):
        if sys.platform != "win32" and place.exists() and place.stat().st_uid != os.geteuid():
            raise DatabaseUnavailable(
                f"{place} belongs to {_owner_name(place)}. Run Weighbridge as that user, or choose a "
                "folder of your own with WEIGHBRIDGE_DATA_DIR."
            )
    return None


def _refuse_foreign_database(data_dir: Path, pgdata: Path) -> None:
    """Raise DatabaseUnavailable for a database of another user in a folder where everybody may
    write: it may be a trap for root.
    """
    if not pgdata.exists():
        return
    folder, database = data_dir.stat(), pgdata.stat()
    if folder.st_mode & 0o002 and database.st_uid not in {folder.st_uid, _system_uid()}:
        raise DatabaseUnavailable(
            f"{pgdata} belongs to {_owner_name(pgdata)}, and everybody may write in {data_dir}: that user "
            f"may have put it there. If it is yours, close the folder with chmod o-w {data_dir}."
        )


def _system_uid() -> int | None:
    account = _find_system_user()
    return None if account is None else account.uid


def _system_user(pgdata: Path) -> OsAccount:
    """The system user `weighbridge`, added if it is missing; for a data directory still to be
    made.
    """
    if pgdata.exists():
        raise DatabaseUnavailable(
            f"{pgdata} belongs to root, and PostgreSQL refuses to run as root. Give it back to its "
            f"user: chown -R {SYSTEM_USER}: {pgdata}"
        )
    return _find_system_user() or _add_system_user()


def _find_system_user() -> OsAccount | None:
    import pwd

    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
    return OsAccount(entry.pw_uid, entry.pw_gid)


def _add_system_user() -> OsAccount:
    """Add the system user `weighbridge` to this host; raises DatabaseUnavailable if it cannot."""
    try:
        done = subprocess.run(_ADD_USER, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
        said = done.stderr.strip()
    except OSError as error:
        said = str(error)
    account = _find_system_user()  # perhaps somebody else has just added it
    if account is None:
        raise DatabaseUnavailable(
            f"PostgreSQL refuses to run as root, and the system user {SYSTEM_USER} cannot be added "
            f"({said}). Add it by hand, or run Weighbridge as an ordinary user."
        )
    return account


def refuse_unnamed(account: OsAccount | None) -> None:
    """Check that the user who will run PostgreSQL (None: the current one) has a name, without which
    `initdb` creates no database.

    Raises:
        DatabaseUnavailable: the user has no name, as in a container that runs as a bare number.
    """
    if sys.platform == "win32":
        return
    import pwd

    uid = os.geteuid() if account is None else account.uid
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise DatabaseUnavailable(
            f"User ID {uid} has no name on this machine (in /etc/passwd), and PostgreSQL "
            "cannot create a database for such a user. Run Weighbridge as a user with a name, or set "
            "WEIGHBRIDGE_DATABASE_URL to a server of your own."
        ) from None


def _owner_name(path: Path) -> str:
    """The name of the user who owns a file, or "user" and the number."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"
