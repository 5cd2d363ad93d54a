"""The options of `weighbridge run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.ingest.catalogue import ReadOptions


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One run. `formats` and `reading` are checked; `pacing` and `steps` None mean as stored."""

    file: Path
    out_dir: Path
    simulate: bool
    formats: tuple[str, ...]
    pacing: str | None
    steps: str | None
    reading: ReadOptions
    yes: bool
    redo: bool
    as_json: bool
