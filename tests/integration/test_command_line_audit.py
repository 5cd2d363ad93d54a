"""What people do on the command line stands in the audit log, under the name they have on that
machine.
"""

from __future__ import annotations

import asyncio
import getpass
from typing import TYPE_CHECKING

import asyncpg
from typer.testing import CliRunner

from weighbridge.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def _entries(url: str) -> list[tuple[str, str, str | None]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT actor, action, subject FROM audit_log ORDER BY id")
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


def test_every_change_from_the_command_line_is_recorded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", database_url)
    catalogue = tmp_path / "chairs.csv"
    catalogue.write_text("code,name,description\nD-1,Chair,A chair of beech\n", encoding="utf-8")
    out = ["--out", str(tmp_path / "out")]
    for arguments in (
        ["import", str(catalogue), *out],
        ["export", "--format", "csv,jsonl", *out],
        ["stop"],
        ["start"],
        ["reset-failed"],
        ["config", "batchSize=7"],
        ["config"],  # only looks
        ["status"],  # only looks
        ["token", "add", "ana"],
        ["token", "revoke", "ana"],
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, (arguments, done.output, done.exception)
    entries = asyncio.run(_entries(database_url))
    assert {actor for actor, _, _ in entries} == {f"command line ({getpass.getuser()})"}
    assert [(action, subject) for _, action, subject in entries] == [
        ("uploaded a catalogue", "chairs.csv"),
        ("exported", "results.csv, results.jsonl"),
        ("stopped the queue", None),
        ("started the queue", None),
        ("retried failed products", None),
        ("changed the configuration", None),
        ("added a token", "ana"),
        ("revoked a token", "ana"),
    ]
