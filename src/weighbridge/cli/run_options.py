"""The options of `weighbridge run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One run. `formats` and `mapping` are checked; `pacing` and `steps` None mean as stored."""

    file: Path
    out_dir: Path
    simulate: bool
    formats: tuple[str, ...]
    pacing: str | None
    steps: str | None
    limit: int | None
    mapping: tuple[str, ...]
    yes: bool
    redo: bool
    as_json: bool
