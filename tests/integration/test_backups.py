"""A backup restored elsewhere gives the same results, byte for byte."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support.application import RunningProgram, program
from weighbridge.clock import SystemClock
from weighbridge.errors import Conflict, SchemaTooNew, UnreadableFile
from weighbridge.service.doctor import examine
from weighbridge.service.results import export_results
from weighbridge.service.upkeep.backups import MANIFEST, restore_backup, write_backup
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def exported(running: RunningProgram, folder: Path) -> bytes:
    app = running.app
    path = folder / "results.jsonl"
    steps = app.questions.steps
    await export_results(app.database, app.taxonomy, app.factors, steps, [("jsonl", path)])
    return path.read_bytes()


async def backed_up(running: RunningProgram, folder: Path) -> Path:
    await running.add_many(12)
    await running.start()
    await running.until(completed=12)
    await running.stop()
    file = folder / "weighbridge.backup"
    await write_backup(running.app.database, file, SystemClock())
    return file


async def test_a_backup_restored_into_an_empty_folder_exports_the_same_bytes(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        file = await backed_up(running, tmp_path)
        before = await exported(running, tmp_path)
    fresh = tmp_path / "fresh"
    database = await open_database(None, fresh)
    try:
        manifest = await restore_backup(database, file)
        assert manifest.rows_of("products") == 12
        url = database.url
        async with program(url, fresh) as again:
            assert await exported(again, fresh) == before
            assert (await examine(again.app.database)).is_sound
            await again.add({"code": "NEXT"})  # numbers go on
            await again.start()
            await again.until(completed=13)
            await again.stop()
            await again.assert_sound()
    finally:
        await database.close()


async def test_what_would_be_lost_is_not_replaced_unasked(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        file = await backed_up(running, tmp_path)
        database = running.app.database
        with pytest.raises(Conflict, match="exists"):
            await write_backup(database, file, SystemClock())
        await running.add({"code": "LATER"})
        with pytest.raises(Conflict, match="--yes"):
            await restore_backup(database, file)
        assert await running.value("SELECT count(*) FROM products") == 13
        await restore_backup(database, file, overwrite=True)
        assert await running.value("SELECT count(*) FROM products") == 12


async def test_a_backup_that_is_damaged_newer_or_none_changes_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with program(database_url, tmp_path) as running:
        file = await backed_up(running, tmp_path)
        database = running.app.database
        for name, spoil, error in (
            ("cut", lambda data: data[: len(data) // 2], UnreadableFile),
            ("text", lambda _: b"code,name", UnreadableFile),
        ):
            bad = tmp_path / name
            bad.write_bytes(spoil(file.read_bytes()))
            with pytest.raises(error):
                await restore_backup(database, bad, overwrite=True)
        with pytest.raises(SchemaTooNew):
            await restore_backup(database, _changed(file, {"schema": 9_999}), overwrite=True)
        with pytest.raises(UnreadableFile, match="format is 9"):
            await restore_backup(database, _changed(file, {"format": 9}), overwrite=True)
        assert await running.value("SELECT count(*) FROM products") == 12


def _changed(file: Path, change: dict[str, int]) -> Path:
    """A copy whose manifest says something else."""
    copy = file.with_name("changed.backup")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == MANIFEST:
                data = json.dumps({**json.loads(data), **change}).encode()
            new.writestr(name, data)
    return copy
