"""Turns what a notebook passes (a path, a table, a list) into a file that can be imported."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from weighbridge.errors import InputError


def as_file(products: object, folder: Path) -> Path:
    """The path that was passed, or that of a new file in `folder` with the rows of the table or
    list.

    Raises:
        InputError: there is no such file, or `products` is of another type.
    """
    if isinstance(products, str | Path):
        path = Path(products)
        if not path.is_file():
            raise InputError(
                f"{path} is not a file. Give a CSV, XLSX, JSON, JSONL or Parquet file."
            )
        return path
    if isinstance(products, pl.LazyFrame):
        products = products.collect()
    if isinstance(products, pl.DataFrame):
        path = folder / "products.parquet"
        products.write_parquet(path)
        return path
    path = folder / "products.json"
    if isinstance(products, list):
        path.write_text(_as_json(products), encoding="utf-8")
        return path
    if callable(write := getattr(products, "to_json", None)):  # pandas; empty cells become null
        write(path, orient="records", date_format="iso", double_precision=15, force_ascii=False)
        return path
    raise InputError(
        f"This is not a catalogue but of type {type(products).__name__}. Give a file, a polars or pandas "
        "DataFrame, or a list of dictionaries."
    )


def _as_json(records: list[object]) -> str:
    """The records as JSON; raises InputError if they contain a value that JSON cannot express."""
    try:
        return json.dumps(records, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The list of products has a value that JSON cannot express: {error}. Use text and "
            "numbers."
        ) from error
