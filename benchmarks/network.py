"""Two hosts on one database, one of them cut off in mid-run: a cable pulled, not a process ended.

    sudo python -m benchmarks.network [--products 2000] [--away 40] [--default-keepalives] [--json]

Each host is a network namespace with a `weighbridge worker`, joined by a virtual cable to the
machine on which PostgreSQL and the simulated provider run. The host that dispatches is cut off,
comes back after a while, and the books are compared. `--default-keepalives` leaves PostgreSQL's TCP
settings as they are by default, instead of what docs/howto/run-on-several-machines.md says. Needs
Linux, root and iproute2.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import Account, Process, print_table, simulator, site
from tests.support.crash import stop_postgres
from weighbridge.embedded_postgres.cluster import DATABASE, ROLE, secret_of
from weighbridge.embedded_postgres.programs import run_in
from weighbridge.embedded_postgres.server import EmbeddedServer
from weighbridge.embedded_postgres.server_user import server_account
from weighbridge.store.jobs import DISPATCH_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from benchmarks.harness import Site

SERVICES: Final = "10.213.0.1"
"""Where PostgreSQL and the provider listen: an address of the machine itself, whatever cable is
pulled.
"""
ADDRESSES: Final = {"wb-a": "10.213.1.2", "wb-b": "10.213.2.2"}
KEEPALIVES: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
}
PATIENCE_S: Final = 60.0
"""In which both hosts are at work."""
RPM: Final = 1_500
_LEADER: Final = (
    "SELECT host(a.client_addr) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) "
    "= $1"
)
_HELD: Final = "SELECT count(*) FROM pgqueuer WHERE status = 'picked' AND queue_manager_id = $1"


def ip(*arguments: str, check: bool = True) -> None:
    """One `ip` command."""
    command = [shutil.which("ip") or "ip", *arguments]
    subprocess.run(command, check=check, stderr=None if check else subprocess.DEVNULL)


@contextmanager
def hosts() -> Iterator[None]:
    """Two namespaces, each with a cable to this one; gone at the end."""
    _remove()
    try:
        ip("addr", "add", f"{SERVICES}/32", "dev", "lo")
        for name, address in ADDRESSES.items():
            gateway = address.rpartition(".")[0] + ".1"
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "up0", "netns", name)
            ip("addr", "add", f"{gateway}/24", "dev", name)
            ip("link", "set", name, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "up0")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "up0", "up")
            ip("-n", name, "route", "add", "default", "via", gateway)
        yield
    finally:
        _remove()


def _remove() -> None:
    for name in ADDRESSES:
        ip("link", "del", name, check=False)
        ip("netns", "del", name, check=False)
    ip("addr", "del", f"{SERVICES}/32", "dev", "lo", check=False)


def listen_on_the_network(folder: Path) -> str:
    """Start PostgreSQL in `folder`/data so that the hosts reach it; returns its URL for them."""
    server = EmbeddedServer(folder / "data")
    server.join()
    server.leave()
    with (server.pgdata / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all {ROLE} 10.213.0.0/16 scram-sha-256\n")
    account = server_account(server.data_dir, server.pgdata)
    options = f"-h {SERVICES} -k ."
    done = run_in(server.pgdata, account, "pg_ctl", "-w", "-l", "log", "-o", options, "start")
    assert done.returncode == 0, done.stdout
    return f"postgresql://{ROLE}:{secret_of(server.pgdata)}@{SERVICES}:5432/{DATABASE}"


async def measure(folder: Path, products: int, away_s: float, keepalives: bool) -> dict[str, Any]:
    """One run; what was seen."""
    url = listen_on_the_network(folder)
    try:
        with simulator(Account(RPM, 10_000_000, 5.0, 1.0), folder, SERVICES) as provider:
            limits = {
                "requests_per_minute": RPM,
                "tokens_per_minute": 10_000_000,
                "max_concurrent_requests": 20,  # so that the first to look does not take all groups
            }
            async with site(folder, provider.base_url, limits=limits) as here:
                if keepalives:
                    for name, value in KEEPALIVES.items():
                        await here.connection.execute(
                            f"ALTER ROLE CURRENT_USER SET {name} = '{value}'"
                        )
                await here.add_products(products)
                here.settings["WEIGHBRIDGE_DATABASE_URL"] = url
                seen = await _run(here, away_s)
                books = provider.books()
                sound = Process(["doctor"], here.settings, folder / "doctor.log")
                seen["doctor"] = "sound" if await asyncio.to_thread(sound.wait) == 0 else "ILL"
                sound.stop()
    finally:
        stop_postgres(folder / "data")
    return {
        "keepalives": "how-to" if keepalives else "default",
        **seen,
        "calls": books["admitted"],
        "paid twice": books["prompts_answered_twice"],
    }


async def _run(here: Site, away_s: float) -> dict[str, Any]:
    workers = []
    await here.start_queue()
    try:
        first, second = ADDRESSES  # the first to come dispatches: it will be cut off
        workers.append(_worker(here, first))
        await _until(here, "SELECT EXISTS (SELECT FROM pgqueuer WHERE status = 'picked')")
        manager = await here.connection.fetchval(
            "SELECT queue_manager_id FROM pgqueuer WHERE status = 'picked' LIMIT 1"
        )
        workers.append(_worker(here, second))
        both = "SELECT count(DISTINCT queue_manager_id) = 2 FROM pgqueuer WHERE status = 'picked'"
        await _until(here, both)
        seen = await _cut_off(here, first, manager, away_s)
        back = await _seconds_until_back(here, manager)
        counts = await asyncio.wait_for(here.until_done(0.2), 300)
        return {
            **seen,
            "works again after s": back,
            "completed": counts["completed"],
            "failed": counts["failed"],
        }
    finally:
        for worker in workers:
            worker.stop()


def _worker(here: Site, name: str) -> Process:
    within = ("ip", "netns", "exec", name)
    return Process(["worker"], here.settings, here.folder / f"{name}.log", within)


async def _until(here: Site, sql: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await here.connection.fetchval(sql):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)


async def _cut_off(here: Site, name: str, manager: UUID, away_s: float) -> dict[str, Any]:
    """Pull the cable of a host, watch the others for a while, put it back."""
    assert await here.connection.fetchval(_LEADER, DISPATCH_LOCK) == ADDRESSES[name]
    held = await here.connection.fetchval(_HELD, manager)
    done = (await here.counts())["completed"]
    ip("link", "set", name, "down")
    cut_s = time.monotonic()
    groups_s: float | None = None
    dispatcher_s: float | None = None
    try:
        while (away := time.monotonic() - cut_s) < away_s:
            if groups_s is None and not await here.connection.fetchval(_HELD, manager):
                groups_s = round(away, 1)
            leader = await here.connection.fetchval(_LEADER, DISPATCH_LOCK)
            if dispatcher_s is None and leader not in {None, ADDRESSES[name]}:
                dispatcher_s = round(away, 1)
            await asyncio.sleep(0.1)
        done = (await here.counts())["completed"] - done
    finally:
        ip("link", "set", name, "up")
    return {
        "groups of the host": held,
        "taken over after s": groups_s if groups_s is not None else "never",
        "next dispatcher after s": dispatcher_s if dispatcher_s is not None else "never",
        "completed meanwhile": done,
    }


async def _seconds_until_back(here: Site, manager: UUID) -> float | str:
    """Until the host that was cut off has groups again."""
    began_s = time.monotonic()
    while (back_s := time.monotonic() - began_s) < PATIENCE_S:
        if await here.connection.fetchval(_HELD, manager):
            return round(back_s, 1)
        await asyncio.sleep(0.1)
    return "not seen"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--away", type=float, default=40.0, help="seconds without the cable")
    parser.add_argument("--default-keepalives", action="store_true")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        sys.exit(
            "Network namespaces need Linux, root and the command ip (iproute2): run it with sudo."
        )
    with tempfile.TemporaryDirectory() as name, hosts():
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        seen = asyncio.run(
            measure(folder, arguments.products, arguments.away, not arguments.default_keepalives)
        )
    if arguments.json:
        print(json.dumps(seen))
    else:
        print_table("one of two hosts cut off", [seen])


if __name__ == "__main__":
    main()
