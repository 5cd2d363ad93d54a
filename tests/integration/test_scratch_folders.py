"""The folders of uploads and exports: nothing but they is ever removed, and nobody leads them
elsewhere.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from weighbridge.clock import SystemClock
from weighbridge.embedded_postgres.account import is_root
from weighbridge.service.upkeep.scratch import clear_left_behind, scratch_folder, uploads_of

STRANGER = 61_234
NOW = SystemClock().now()
LATER = NOW + timedelta(days=2)
as_root = pytest.mark.skipif(
    not is_root(), reason="only root can work in a folder of another user (CI runs as root)"
)


@pytest.mark.anyio
async def test_a_folder_is_for_its_owner_only_and_gone_at_the_end(tmp_path: Path) -> None:
    async with scratch_folder(tmp_path / "data") as folder:
        (folder / "upload").write_text("x")
        assert folder.parent == uploads_of(tmp_path / "data")
        assert folder.parent.stat().st_mode & 0o077 == 0
    assert not list(uploads_of(tmp_path / "data").iterdir())


def test_only_old_folders_of_ours_are_removed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    precious = elsewhere / "weighbridge-thesis"
    precious.mkdir(parents=True)
    uploads = uploads_of(tmp_path)
    for name in ("weighbridge-left", "other"):
        (uploads / name).mkdir(parents=True)
        (uploads / name / "upload").touch()
    (uploads / "weighbridge-link").symlink_to(precious)
    clear_left_behind(tmp_path, NOW)
    assert (uploads / "weighbridge-left").is_dir()
    clear_left_behind(tmp_path, LATER)
    assert not (uploads / "weighbridge-left").exists()
    assert (uploads / "other" / "upload").exists()
    assert precious.is_dir()


def test_a_link_to_a_folder_full_of_other_things_costs_none_of_them(tmp_path: Path) -> None:
    other = tmp_path / "photographs"
    (other / "2019").mkdir(parents=True)
    uploads_of(tmp_path).symlink_to(other)
    clear_left_behind(tmp_path, LATER)
    assert (other / "2019").is_dir()


@as_root
@pytest.mark.anyio
async def test_root_writes_nothing_where_another_user_can_put_a_link(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    os.chown(data_dir, STRANGER, STRANGER)
    of_root = tmp_path / "weighbridge-etc"
    of_root.mkdir()
    uploads_of(data_dir).symlink_to(tmp_path)
    async with scratch_folder(data_dir) as folder:
        assert folder.parent == Path(tempfile.gettempdir())
        assert folder.stat().st_uid == 0
    clear_left_behind(data_dir, LATER)
    assert of_root.is_dir()
    assert [path.name for path in data_dir.iterdir()] == ["uploads"]


@as_root
@pytest.mark.anyio
async def test_uploads_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    uploads_of(tmp_path).mkdir()
    os.chown(uploads_of(tmp_path), STRANGER, STRANGER)
    with pytest.raises(PermissionError, match="belongs to another user"):
        async with scratch_folder(tmp_path):
            pass
