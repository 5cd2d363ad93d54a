"""A real spreadsheet program: LibreOffice Calc without a window.

A machine without one skips these tests and says so; continuous integration (CI=true) fails instead.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES = ("soffice", "libreoffice")
PATIENCE_S = 300
"""Ends a program that hangs; it is slow on a busy machine."""
# Commas, quotes, UTF-8, from line 1; cells as they are and not as they are shown; every sheet.
_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_NUMBER = 999


def find_libreoffice() -> str:
    """The program's path; without one the test is skipped, or fails in continuous integration."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    said = "no LibreOffice Calc is installed: apt-get install libreoffice-calc"
    if os.environ.get("CI") == "true":  # noqa: TID251 - what the test run is told
        pytest.fail(said)
    pytest.skip(said)


def sheets_as_csv(workbook: Path, folder: Path) -> dict[str, list[list[str]]]:
    """Every sheet as LibreOffice reads and calculates it, by name."""
    said = _converted(workbook, folder, _CSV)
    found = {}
    for path in folder.glob(f"{workbook.stem}-*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem.removeprefix(f"{workbook.stem}-")] = list(csv.reader(file))
    assert found, f"LibreOffice wrote nothing: {said}"
    return found


def saved_as(file: Path, folder: Path, suffix: str) -> Path:
    """The file as LibreOffice opens it and saves it in another folder, as "xlsx" or "ods"."""
    said = _converted(file, folder, suffix)
    saved = folder / f"{file.stem}.{suffix}"
    assert saved.exists(), f"LibreOffice wrote nothing: {said}"
    return saved


def _converted(file: Path, folder: Path, target: str) -> str:
    """What LibreOffice says of it."""
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    told = subprocess.run(
        [find_libreoffice(), "--headless", profile, "--convert-to", target, "--outdir", folder, file],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    return f"{told.stdout} {told.stderr}"


def with_formulas(workbook: Path, target: Path, name: str, rows: Sequence[Sequence[str]]) -> Path:
    """The workbook with one more sheet of formulas (without their =), which have no results yet."""
    cells = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(ord("A") + place)}{number}"><f>{escape(formula)}</f></c>'
            for place, formula in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, start=1)
    )
    place = f"worksheets/sheet{_NUMBER}.xml"
    added = {
        "xl/workbook.xml": (
            "</sheets>",
            f'<sheet name="{name}" sheetId="{_NUMBER}" r:id="rId{_NUMBER}"/></sheets>',
        ),
        "xl/_rels/workbook.xml.rels": (
            "</Relationships>",
            f'<Relationship Id="rId{_NUMBER}" Type="{_REL}/worksheet" Target="{place}"/></Relationships>',
        ),
        "[Content_Types].xml": (
            "</Types>",
            f'<Override PartName="/xl/{place}" ContentType="{_SHEET}"/></Types>',
        ),
    }
    with zipfile.ZipFile(workbook) as old, zipfile.ZipFile(target, "w") as new:
        for part in old.namelist():
            data = old.read(part)
            if part in added:
                before, after = added[part]
                data = re.sub(re.escape(before).encode(), after.encode(), data)
            new.writestr(part, data)
        new.writestr(
            f"xl/{place}", f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>'
        )
    return target
