"""Checks before a run that its results can be written, and that the disk has room for them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from weighbridge.errors import InputError, StoreError
from weighbridge.export import file_name, open_writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.steps.shown import ShownField

GROWTH: Final = 10
"""How many bytes of results and database a run is expected to need for each byte of the catalogue:
an estimate on the safe side, not a measurement.
"""
LEAST_ROOM_BYTES: Final = 50_000_000
"""Free space that every run needs besides what `GROWTH` asks for."""


def check_results_can_be_written(
    out_dir: Path, formats: Sequence[str], fields: Sequence[ShownField]
) -> None:
    """Make the folder, and open and discard a writer for each result file.

    Raises:
        InputError: the folder cannot be made.
        StoreError: a file cannot be written.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The results cannot be written to {out_dir} ({error.strerror or error}). Choose "
            "another folder with --out."
        ) from error
    for file_format in formats:
        open_writer(file_format, out_dir / file_name("results", file_format), fields).discard()


def check_room(catalogue: Path, *folders: Path) -> None:
    """Check that the disks of these folders have room for the results of this file.

    Raises:
        StoreError: one has too little; the message names the folder, the free and the needed space.
    """
    needed = LEAST_ROOM_BYTES + GROWTH * catalogue.stat().st_size
    for folder in folders:
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise StoreError(
                f"The disk of {folder} has {free / 1e6:,.0f} MB left, and this run may need "
                f"{needed / 1e6:,.0f} MB. Free some space or choose another folder (--out, "
                "--data-dir). Nothing was sent."
            )
