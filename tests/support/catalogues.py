"""Small catalogue files for tests: the same records in every format that readers take."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from PIL import Image

from weighbridge.ingest.catalogue import read_catalogue
from weighbridge.ingest.decisions import USUAL, ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from weighbridge.domain.products import Product, RejectedRow, RowNote
    from weighbridge.ingest.columns.fields import Field


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """A text file with exactly these characters; line ends are not translated."""
    path.write_bytes(text.encode(encoding))
    return path


def picture_bytes(kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture of this kind: a grey gradient."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Everything in a catalogue, in file order."""

    products: list[Product]
    rejected: list[RejectedRow]
    notes: list[RowNote]
    passed_over: Counter[str]

    @property
    def by_code(self) -> dict[str, Product]:
        """The products by their codes."""
        return {product.code: product for product in self.products}


def read_file(path: Path, options: ReadOptions = USUAL) -> ReadFile:
    """Everything in a catalogue: products, rejected rows and notes."""
    found = ReadFile([], [], [], Counter())
    for chunk in read_catalogue(path, options):
        found.products.extend(chunk.iterate_products())
        found.rejected.extend(chunk.rejected)
        found.notes.extend(chunk.iterate_notes())
        found.passed_over.update(chunk.passed_over)
    return found


def read_text(
    folder: Path, text: str, options: ReadOptions = USUAL, name: str = "catalogue.csv"
) -> ReadFile:
    """What is read from a file with this text."""
    return read_file(write_text(folder / name, text), options)


def read_all(
    path: Path, mapping: Mapping[Field, str] | None = None
) -> tuple[list[Product], list[RejectedRow]]:
    """The products and rejected rows of a catalogue, in file order."""
    found = read_file(path, ReadOptions(mapping=mapping or {}))
    return found.products, found.rejected


def read_csv_text(
    folder: Path, text: str, encoding: str = "utf-8"
) -> tuple[list[Product], list[RejectedRow]]:
    """The products and rejected rows of a CSV file with this text."""
    return read_all(write_text(folder / "catalogue.csv", text, encoding))


def headers_of(records: Sequence[Mapping[str, str | None]]) -> list[str]:
    """The keys of all records, in order of appearance."""
    return list(dict.fromkeys(key for record in records for key in record))


def write_csv(path: Path, records: Sequence[Mapping[str, str | None]]) -> None:
    """Comma separated, as Python writes it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        headers = headers_of(records)
        writer.writerow(headers)
        writer.writerows([record.get(key) or "" for key in headers] for record in records)


def write_json(path: Path, records: Sequence[Mapping[str, str | None]]) -> None:
    """An array of objects."""
    path.write_text(json.dumps(list(records)), encoding="utf-8")


def write_json_object(path: Path, records: Sequence[Mapping[str, str | None]]) -> None:
    """An object with the array in it."""
    path.write_text(json.dumps({"products": list(records)}, indent=1), encoding="utf-8")


def write_jsonl(path: Path, records: Sequence[Mapping[str, str | None]]) -> None:
    """One object a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def write_parquet(path: Path, records: Sequence[Mapping[str, str | None]]) -> None:
    """All columns text."""
    schema = dict.fromkeys(headers_of(records), pl.String)
    pl.DataFrame([{k: r.get(k) for k in schema} for r in records], schema=schema).write_parquet(
        path
    )


def write_xlsx(path: Path, records: Sequence[Mapping[str, str | None]]) -> None:
    """One sheet, all cells text."""
    schema = dict.fromkeys(headers_of(records), pl.String)
    pl.DataFrame([{k: r.get(k) for k in schema} for r in records], schema=schema).write_excel(path)


WRITERS: dict[str, tuple[str, Callable[[Path, Sequence[Mapping[str, str | None]]], None]]] = {
    "csv": ("catalogue.csv", write_csv),
    "json": ("catalogue.json", write_json),
    "json object": ("catalogue.json", write_json_object),
    "jsonl": ("catalogue.jsonl", write_jsonl),
    "parquet": ("catalogue.parquet", write_parquet),
    "xlsx": ("catalogue.xlsx", write_xlsx),
}
"""Format → file name and the function that writes it."""
