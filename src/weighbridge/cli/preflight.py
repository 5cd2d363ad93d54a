"""Before anything is stored or paid for: can the results be written at the end?"""

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
"""Results, and what the database keeps, for each byte of the catalogue: an estimate on the safe
side, not a measurement.
"""
LEAST_ROOM_BYTES: Final = 50_000_000


def check_results_can_be_written(
    out_dir: Path, formats: Sequence[str], fields: Sequence[ShownField]
) -> None:
    """Open the writer of every format where its file will be, and close it without a trace.

    Raises:
        InputError, StoreError: name the path and say what to do.
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
    """Is there room for the results of this file, and for what is kept of the calls?

    Raises:
        StoreError: names the folder, what is free and what is needed.
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
