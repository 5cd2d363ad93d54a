"""Creates a data directory of PostgreSQL, or prepares an existing one for this version.

There are two roles. `weighbridge` owns the database, is no superuser, and logs in with a random
password that is stored in the directory. The superuser `postgres` cannot log in: its work is done
in PostgreSQL's single-user mode, which takes no connections, while the server is down.
"""

from __future__ import annotations

import re
import secrets
import shutil
import sys
from typing import TYPE_CHECKING, Final

from weighbridge.embedded_postgres.files import make_folder, read_text, write_private
from weighbridge.embedded_postgres.programs import MAJOR, run_in
from weighbridge.embedded_postgres.server_user import refuse_unnamed
from weighbridge.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.embedded_postgres.account import OsAccount

ROLE: Final = "weighbridge"
DATABASE: Final = "postgres"
SECRET_FILE: Final = "weighbridge.secret"  # noqa: S105 - its name
_PG_HBA: Final = (
    "# Written by Weighbridge at every start. Only its own role can connect, in this one way.\n"
    + (
        f"host all {ROLE} 127.0.0.1/32 scram-sha-256\n"
        if sys.platform == "win32"
        else f"local all {ROLE} scram-sha-256\n"
    )
)
# The same on every host: letters of all languages, ordered by their code points.
_INITDB: Final = (
    *("--username=postgres", "--auth=reject", "--encoding=UTF8", "--locale=C"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
_STATES_REASON: Final = re.compile(r'FATAL:|PANIC:|could not |parameter "|in file "')
LAST_LINES: Final = 12
# The password is 256 random bits: there is nothing to guess, and thousands of rounds would only
# delay connections.
_ROLES: Final = """
DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role}; END IF; END $$;

SET scram_iterations = 1;

ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '{secret}';

ALTER ROLE postgres NOLOGIN;

ALTER DATABASE {database} OWNER TO {role};

"""
# In earlier versions of Weighbridge the superuser owned everything.
_HAND_OVER: Final = """
DO $$ DECLARE statement text; BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s OWNER TO {role}', c.oid::regclass) FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
                          AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
        UNION ALL
        SELECT format('ALTER TYPE %s OWNER TO {role}', t.oid::regtype) FROM pg_type t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO {role}', p.oid::regprocedure) FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
    LOOP EXECUTE statement; END LOOP;
END $$;

"""


def prepare(pgdata: Path, account: OsAccount | None, server_lock: int | None = None) -> None:
    """Create the data directory if there is none, and prepare it for this version.

    Programs are run as `account` and inherit `server_lock`, the descriptor of a lock that must keep
    everybody else out.

    Raises:
        DatabaseUnavailable: no space, no permission, or another version of PostgreSQL made it.
    """
    if not pgdata.exists():
        _create(pgdata, account, server_lock)
    _check_version(pgdata)
    if secret_of(pgdata) is None:
        _set_roles(pgdata, account, server_lock)
    if read_text(pgdata / "pg_hba.conf") != _PG_HBA:
        write_private(pgdata / "pg_hba.conf", _PG_HBA, account)


def secret_of(pgdata: Path) -> str | None:
    """The password of the role `weighbridge`; None until the directory is ready for use."""
    text = read_text(pgdata / SECRET_FILE).strip()
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else None


def draft_of(pgdata: Path) -> Path:
    """The folder in which a new data directory is made before it is renamed to `pgdata`."""
    return pgdata.with_name(f"{pgdata.name}.new")


def as_superuser(
    pgdata: Path, account: OsAccount | None, sql: str, server_lock: int | None = None
) -> None:
    """Run SQL statements as the superuser while the server is down, up to the first that fails.
    Each must be followed by an empty line.

    Raises:
        DatabaseUnavailable: a statement failed.
    """
    done = run_in(
        pgdata,
        account,
        "postgres",
        *("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "-j", DATABASE),
        mode=("--single",),
        sql=sql,
        server_lock=server_lock,
    )
    if done.returncode != 0:
        raise DatabaseUnavailable(
            f"The database in {pgdata} cannot be prepared: {failure_reasons(done.stdout)}. Check free disk space and permissions, or choose another folder with WEIGHBRIDGE_DATA_DIR."
        )


def failure_reasons(log: str) -> str:
    """PostgreSQL's reasons for a failure, for an error message: up to three of the last lines of
    its log, without times, and only those that state a reason if there are any.
    """
    lines = [re.sub(r"^\d{4}-\S+ \S+ \S+ \[\d+\] ", "", line.strip()) for line in log.splitlines()]
    last = [line for line in lines if line][-LAST_LINES:]
    reasons = [line for line in last if _STATES_REASON.search(line)]
    return "; ".join((reasons or last)[-3:]) or "it gave no reason"


def _create(pgdata: Path, account: OsAccount | None, server_lock: int | None) -> None:
    """Create a data directory in `draft_of(pgdata)` and rename it when it is complete. A draft that
    an interrupted process left is deleted first.
    """
    refuse_unnamed(account)
    draft = draft_of(pgdata)
    if draft.exists():
        shutil.rmtree(draft)
    make_folder(draft, account)
    done = run_in(draft, account, "initdb", *_INITDB, server_lock=server_lock)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise DatabaseUnavailable(
            f"No database can be created in {pgdata.parent}: {failure_reasons(done.stdout)}. Check free "
            "disk space and permissions, or choose another folder with WEIGHBRIDGE_DATA_DIR."
        )
    _set_roles(draft, account, server_lock)
    draft.rename(pgdata)


def _check_version(pgdata: Path) -> None:
    """Raise DatabaseUnavailable if another version of PostgreSQL made the directory."""
    version = read_text(pgdata / "PG_VERSION").strip()
    if version != str(MAJOR):
        raise DatabaseUnavailable(
            f"{pgdata} was made by PostgreSQL {version or '(unknown version)'}, but this "
            f"Weighbridge runs PostgreSQL {MAJOR}. Move the folder away, or choose another one with "
            "WEIGHBRIDGE_DATA_DIR."
        )


def _set_roles(pgdata: Path, account: OsAccount | None, server_lock: int | None) -> None:
    """Create the roles with a new password. Its file is written last, so that an interrupted call
    is repeated at the next start.
    """
    secret = secrets.token_hex(32)
    sql = (_ROLES + _HAND_OVER).replace("{role}", ROLE).replace("{database}", DATABASE)
    as_superuser(pgdata, account, sql.replace("{secret}", secret), server_lock)
    write_private(pgdata / "pg_hba.conf", _PG_HBA, account)
    write_private(pgdata / SECRET_FILE, f"{secret}\n", account)
