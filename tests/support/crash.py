"""Makes the n-th commit of a program fail, or the word of it get lost; restarts PostgreSQL under
it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from typing_extensions import override

from weighbridge.embedded_postgres import processes
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.embedded_postgres.waiting import wait_until
from weighbridge.store.database import Database

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weighbridge.store.database import Connection

OBSERVER: Final = "observer"
_FUSE: Final = 1_605
"""An advisory lock: whoever draws a number holds it until its commit is over. A machine that is
busy may hold up a commit between its number and the explosion."""
# Deferred triggers run inside COMMIT. The first of a transaction draws a number; sequences are not
# rolled back, so that each commit is counted once, whether it succeeds or not.
_BOMB: Final = """
CREATE SEQUENCE commits;
CREATE TABLE bomb (at bigint NOT NULL);
CREATE FUNCTION explode() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('bomb.counted', true) IS NOT DISTINCT FROM pg_current_xact_id()::text THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('bomb.counted', pg_current_xact_id()::text, true);
    PERFORM pg_advisory_xact_lock_shared(1605);
    IF nextval('commits') = (SELECT at FROM bomb) THEN
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name <> 'observer' AND pid <> pg_backend_pid();
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(10);
    END IF;
    RETURN NULL;
END $$;
"""
_TABLES: Final = (
    "products",
    "calls",
    "answers",
    "footprints",
    "quota",
    "pgqueuer",
    "queue_state",
    "batches",
    "open_calls",
)


class Bomb:
    """Breaks every connection of a database in the middle of its n-th commit, which is rolled
    back.
    """

    def __init__(self, observer: asyncpg.Connection[Any]) -> None:
        self._observer = observer

    async def arm(self, at_commit: int) -> None:
        """Count from here; explode once."""
        await self._observer.execute("DELETE FROM bomb")
        await self._observer.execute("INSERT INTO bomb VALUES ($1)", at_commit)
        await self._observer.execute("SELECT setval('commits', 1, false)")

    async def disarm(self) -> None:
        """It will not explode any more, and if it has, every connection that was there has been
        told to end.

        Otherwise it could still cut those that are made from here on.
        """
        await self._observer.execute("SELECT pg_advisory_lock($1)", _FUSE)
        await self._observer.execute("UPDATE bomb SET at = -1")
        await self._observer.execute("SELECT pg_advisory_unlock($1)", _FUSE)

    async def has_exploded(self) -> bool:
        """Whether so many commits were begun."""
        return bool(
            await self._observer.fetchval(
                "SELECT is_called AND last_value >= (SELECT at FROM bomb) FROM commits"
            )
        )

    async def has_exploded_or_all_is_done(self) -> bool:
        """As `has_exploded`; or no work is left, because a busy machine writes what comes together
        in fewer commits.
        """
        return await self.has_exploded() or bool(
            await self._observer.fetchval(
                "SELECT (SELECT bool_and(status IN ('completed', 'failed')) FROM products) AND NOT"
                " EXISTS (SELECT FROM batches WHERE state NOT IN ('collected', 'discarded'))"
            )
        )


@asynccontextmanager
async def bomb(url: str) -> AsyncIterator[Bomb]:
    """A bomb in the database, not armed."""
    await plant_bomb(url)
    async with planted_bomb(url) as planted:
        yield planted


async def plant_bomb(url: str) -> None:
    """Put one into the database, not armed."""
    observer = await _observer(url)
    try:
        await observer.execute(_BOMB)
        await observer.execute("INSERT INTO bomb VALUES (-1)")
        for table in _TABLES:
            await observer.execute(
                f"CREATE CONSTRAINT TRIGGER explode AFTER INSERT OR UPDATE OR DELETE ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION explode()"
            )
    finally:
        await observer.close()


@asynccontextmanager
async def planted_bomb(url: str) -> AsyncIterator[Bomb]:
    """The bomb that was planted."""
    observer = await _observer(url)
    try:
        yield Bomb(observer)
    finally:
        await observer.close()


async def _observer(url: str) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(url, server_settings={"application_name": OBSERVER})


@dataclass(slots=True)
class ForgetfulDatabase(Database):
    """Commits, and then loses the connection before it can say so: every other time."""

    forgotten: int = field(default=0)
    _times: int = field(default=0)

    @override
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection
        self._times += 1
        if self._times % 2:
            self.forgotten += 1
            raise asyncpg.ConnectionDoesNotExistError(
                "connection was closed in the middle of COMMIT"
            )


def restart_postgres(folder: Path, *, mode: str) -> None:
    """Restart the embedded server whose data directory is in `folder`.

    `immediate` is a crash, `fast` is not.
    """
    end_postgres(folder, processes.FAST if mode == "fast" else processes.IMMEDIATE)
    EmbeddedServer(folder).ensure_running()


def stop_postgres(folder: Path) -> None:
    """Stop it: after a restart, or after the death of its users, nobody else does."""
    end_postgres(folder, processes.IMMEDIATE)


def end_postgres(folder: Path, kind: signal.Signals) -> None:
    """Signal the server in this folder, if there is one, and wait until it has ended."""
    postmaster = processes.postmaster_of(folder / "postgres")
    if postmaster is not None:
        processes.send(postmaster, kind)
        assert wait_until(lambda: not processes.is_alive(postmaster), limit_s=60), "it still runs"
