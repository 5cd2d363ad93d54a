"""What people are told when a file cannot be written, and that two exports do not mix."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typing_extensions import override

from tests.unit.export.result_rows import FIELDS, completed
from weighbridge.errors import InputError, StoreError, WeighbridgeError
from weighbridge.export.csv_writer import CsvWriter
from weighbridge.export.files import explanation


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.ENOSPC, StoreError, "Free some space"),
        (errno.EDQUOT, StoreError, "Free some space"),
        (errno.EACCES, InputError, "close the file if it is open in another program"),
        (errno.EROFS, InputError, "Choose another folder"),
        (errno.ENOTDIR, InputError, "Choose an existing folder"),
        (errno.ENAMETOOLONG, InputError, "Choose another folder or file name"),
    ],
)
def test_every_disk_error_names_the_path_and_a_remedy(
    number: int, kind: type[WeighbridgeError], remedy: str
) -> None:
    told = explanation(Path("out/results.csv"), OSError(number, "as the system says it"))
    assert type(told) is kind
    assert str(Path("out/results.csv")) in str(told)
    assert remedy in str(told)


class DiskWithoutRoom(CsvWriter):
    """A writer on a disk that has room for a folder and not for a file in it."""

    @override
    def _start(self, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_writer_that_fails_to_start_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the disk is full"):
        DiskWithoutRoom(tmp_path / "results.csv", FIELDS)
    assert list(tmp_path.iterdir()) == []


def test_concurrent_exports_to_one_name_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    first, second = CsvWriter(path, FIELDS), CsvWriter(path, FIELDS)
    first.write([completed("FIRST")])
    second.write([completed("SECOND")])
    second.close()
    first.close()
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["code", "FIRST"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_discarded_export_leaves_nothing(tmp_path: Path) -> None:
    writer = CsvWriter(tmp_path / "results.csv", FIELDS)
    writer.write([completed()])
    writer.discard()
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_for_the_disk_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Choose another folder or file name"):
        CsvWriter(tmp_path / ("x" * 300 + ".csv"), FIELDS)
