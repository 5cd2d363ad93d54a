"""Mutates files by the structure of their formats and reads them in the process that users' files
are read in.

    python -m benchmarks.fuzz_readers [--minutes 60] [--seed 1] [--keep DIR]

Every file must end in products or in an error by name, within the limits on memory and time. What
does not (a bug, a death of the child) is printed with its seed and kept. CSV and JSON
are changed by characters and lines, workbooks inside their parts, Parquet in pages and footer,
pictures in segments.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tempfile
import time
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import xlsxwriter
from PIL import Image

from weighbridge.errors import InputError, InternalError
from weighbridge.ingest.isolation.limits import ReaderLimits
from weighbridge.ingest.isolation.reading import OpenCatalogue, check_uploaded_picture

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = ReaderLimits(silence_s=60.0)
MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001 - workbooks know no time zones
DEATHS = ("crashed the reader", "no further for", "MB of memory")
ROWS = [
    [
        f"A-{i}",
        f"Chair {i}",
        "Chair of oak;\nvery “strong”",
        f"{i},5 kg",
        "https://img.example/a.jpg",
    ]
    for i in range(40)
]
HEADER = ["code", "name", "description", "weight", "image"]
ODD = [
    "",
    '"',
    "'",
    "\\",
    ",",
    ";",
    "\t",
    "\r",
    "\n",
    "\0",
    "\ufeff",
    "\ud83d",
    "1e999",
    "NaN",
    "[",
    "{",
]
ODD_XML = [
    b"<c>",
    b"</row>",
    b"<row r='99999999'>",
    b"<c r='XFD1048576'><v>1</v></c>",
    b"&#0;",
    b"<!--",
]
ODD_BYTES = [
    b"\x00",
    b"\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"PK\x05\x06",
]


def csv_file(dice: random.Random) -> bytes:
    lines = [dice.choice(",;\t|").join(row) for row in [HEADER, *ROWS]]
    text = dice.choice(["\n", "\r\n", "\r"]).join(lines)
    text = changed_text(text, dice)
    codec = dice.choice(["utf-8", "utf-16", "cp1252", "gb18030", "cp932", "utf-8-sig"])
    return text.encode(codec, errors="replace")


def changed_text(text: str, dice: random.Random) -> str:
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(text))
        odd = dice.choice(ODD).encode("utf-8", "replace").decode()
        end = at + dice.choice([0, 0, 1, 40])
        text = text[:at] + odd * dice.choice([1, 1, 1, 300_000]) + text[end:]
    return text


def json_file(dice: random.Random) -> bytes:
    records: list[dict[str, Any]] = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    for _ in range(dice.randrange(4)):
        record = dice.choice(records)
        record[dice.choice(HEADER)] = dice.choice(
            [None, [], {}, 1e308, True, [[[{}]]], {"en": "x"}]
        )
    lines = [json.dumps(record) for record in records]
    whole = "\n".join(lines) if dice.random() < 0.5 else json.dumps({"products": records})
    return changed_text(whole, dice).encode("utf-8", "replace")


def xlsx_file(dice: random.Random) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"created": MADE_AT})  # one seed, one file
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for i, row in enumerate(ROWS, start=1):
            sheet.write_row(i, 0, row)
        sheet.merge_range(50, 0, 55, 2, "merged")
    parts = zipfile.ZipFile(made)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name in parts.namelist():
            data = parts.read(name)
            if dice.random() < 0.25:
                data = changed_bytes(data, dice, ODD_XML)
            if dice.random() < 0.02:
                continue
            member = zipfile.ZipInfo(name, MADE_AT.timetuple()[:6])
            package.writestr(member, data, zipfile.ZIP_DEFLATED)
    whole = out.getvalue()
    return changed_bytes(whole, dice, ODD_BYTES) if dice.random() < 0.3 else whole


def parquet_file(dice: random.Random) -> bytes:
    made = io.BytesIO()
    codecs: list[Literal["zstd", "snappy", "uncompressed", "gzip", "lz4"]]
    codecs = ["zstd", "snappy", "uncompressed", "gzip", "lz4"]
    codec = dice.choice(codecs)
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row")
    frame.write_parquet(made, compression=codec, row_group_size=dice.choice([10, 1000]))
    data = made.getvalue()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    first = dice.choice([4, footer, len(data) - 8])
    return data[:first] + changed_bytes(data[first:], dice, ODD_BYTES)


def picture_file(dice: random.Random) -> bytes:
    made = io.BytesIO()
    picture = Image.linear_gradient("L").resize((97, 61)).convert("RGB")
    kind = dice.choice(["JPEG", "PNG", "WEBP", "GIF"])
    picture.save(made, kind, **({"progressive": True} if kind == "JPEG" else {}))
    return changed_bytes(made.getvalue(), dice, ODD_BYTES)


def changed_bytes(data: bytes, dice: random.Random, odd: list[bytes]) -> bytes:
    for _ in range(dice.randrange(1, 5)):
        if not data:
            break
        at = dice.randrange(len(data))
        match dice.randrange(5):
            case 0:
                data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at] + dice.choice(odd) + data[at + dice.choice([0, 1, 4]) :]
            case 2:
                data = data[:at]
            case 3:
                end = at + dice.randrange(64)
                data = data[:end] + data[at:end] * dice.choice([1, 3, 2_000]) + data[end:]
            case _:
                data = data[:at] + dice.randbytes(4) + data[at + 4 :]
    return data


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "csv": csv_file,
    "json": json_file,
    "xlsx": xlsx_file,
    "parquet": parquet_file,
    "picture": picture_file,
}


def fault_of(path: Path, kind: str) -> str | None:
    """What is wrong with how this file was taken; None: nothing."""
    try:
        if kind == "picture":
            check_uploaded_picture(path.read_bytes())
        else:
            with OpenCatalogue(path, limits=LIMITS) as catalogue:
                for _ in catalogue.chunks():
                    pass
    except InternalError as error:
        return f"bug: {error}"
    except InputError as error:
        if any(death in str(error) for death in DEATHS):
            return f"death: {error}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzzed")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    ends_s = time.monotonic() + 60 * arguments.minutes
    seed, faults = arguments.seed, 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < ends_s:
            kind = list(KINDS)[seed % len(KINDS)]
            data = KINDS[kind](random.Random(seed))
            path = Path(folder) / f"{seed}.{kind}"
            path.write_bytes(data)
            fault = fault_of(path, kind)
            if fault:
                faults += 1
                print(f"seed {seed} ({kind}): {fault}", flush=True)
                (arguments.keep / path.name).write_bytes(data)
            path.unlink()
            seed += 1
    print(f"{seed - arguments.seed:,} files, {faults} faults; the next seed is {seed}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
