"""What a Parquet file unpacks to is known and bounded before it is unpacked."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.support.catalogues import read_all
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.formats import parquet_reader
from weighbridge.ingest.formats.parquet_footer import read_row_groups

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.parquet"


def catalogue(rows: int, text: str = "Chair of oak") -> pl.DataFrame:
    codes = [f"A-{i}" for i in range(rows)]
    return pl.DataFrame({"code": codes, "name": ["Chair"] * rows, "description": [text] * rows})


def test_row_groups_are_those_that_were_written(path: Path) -> None:
    catalogue(2_500).write_parquet(path, row_group_size=1_000)
    groups = read_row_groups(path)
    assert sum(group.rows for group in groups) == 2_500
    assert len(groups) > 1
    assert all(set(group.unpacked_bytes) == {"code", "name", "description"} for group in groups)
    assert all(size > 0 for group in groups for size in group.unpacked_bytes.values())


def test_nested_columns_count_for_their_outermost_name(path: Path) -> None:
    frame = catalogue(3).with_columns(size=pl.struct(a=pl.lit(1), b=pl.lit([1, 2])))
    frame.write_parquet(path)
    assert set(read_row_groups(path)[0].unpacked_bytes) == {"code", "name", "description", "size"}


def test_rows_that_share_one_long_text_are_refused_by_column_and_row_group(path: Path) -> None:
    text = "wood " * 200_000
    catalogue(1_000, "short").write_parquet(path)
    repeated = pl.Series([text]).new_from_index(0, 1_200)
    catalogue(1_200).with_columns(description=repeated).write_parquet(path)
    assert path.stat().st_size < 200_000
    with pytest.raises(UnreadableFile, match=r'Column "description" of row group 1 .*1,024 MB'):
        read_all(path)


def test_stated_size_is_refused_before_anything_is_unpacked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(20_000).write_parquet(path)
    monkeypatch.setattr(parquet_reader, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(UnreadableFile, match=r'Column "code" of row group 1 in the Parquet file'):
        read_all(path)


def test_long_texts_come_in_small_chunks(path: Path) -> None:
    frame = catalogue(1_000).with_columns(description=pl.col("code") + pl.lit(" wood" * 3_900))
    frame.write_parquet(path)
    products, rejected = read_all(path)
    assert (len(products), rejected) == (1_000, [])


def whole() -> bytes:
    file = io.BytesIO()
    catalogue(5).write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 100])
def test_file_without_its_end_is_refused(path: Path, cut: int) -> None:
    path.write_bytes(whole()[:-cut])
    with pytest.raises(UnreadableFile, match="damaged or not complete"):
        read_row_groups(path)


def test_footer_of_rubbish_is_refused_or_read(path: Path) -> None:
    data = whole()
    length = int.from_bytes(data[-8:-4], "little")
    for at in range(len(data) - 8 - length, len(data) - 8):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        with contextlib.suppress(UnreadableFile):
            assert all(group.rows >= 0 for group in read_row_groups(path))


def test_lists_in_lists_are_refused_like_any_damage(path: Path) -> None:
    footer = b"\x49" + b"\x19" * 5_000
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(UnreadableFile, match="footer cannot be read"):
        read_row_groups(path)
