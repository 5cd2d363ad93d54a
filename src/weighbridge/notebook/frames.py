"""Turns what a notebook passes (a path, a table, a list) into a file that can be imported."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import polars as pl

from weighbridge.errors import InputError

_OTHERWISE: Final = "Give a file, a polars or pandas DataFrame, or a list of dictionaries."


def as_file(products: object, folder: Path) -> Path:
    """The path that was passed, or that of a new file in `folder` with the rows of the table or
    list.

    Raises:
        InputError: there is no such file, `products` is of another type, or it has a value or
            columns that no file can express.
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
        path = folder / "DataFrame.parquet"
        products.write_parquet(path)
        return path
    if callable(write := getattr(products, "to_dict", None)) and hasattr(products, "columns"):
        path = folder / "DataFrame.json"
        path.write_text(_as_json(_rows_of_pandas(write(orient="tight"))), encoding="utf-8")
        return path
    if isinstance(products, Iterable) and not isinstance(products, Mapping | bytes):
        path = folder / "list.json"
        path.write_text(_as_json(_dictionaries(products)), encoding="utf-8")
        return path
    raise InputError(f"This is not a catalogue but of type {type(products).__name__}. {_OTHERWISE}")


def _rows_of_pandas(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a pandas DataFrame that was written with `to_dict(orient="tight")`.

    The levels of its index that have a name are columns too: `set_index("code")` makes them. Empty
    cells (NaN, NaT, NA) are None.
    """
    named = [(at, name) for at, name in enumerate(table["index_names"]) if name is not None]
    columns = [str(name) for name in (*(name for _, name in named), *table["columns"])]
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        raise InputError(
            f"The DataFrame has several columns called {', '.join(doubled)}. Rename or drop all but one."
        )
    is_deep = len(table["index_names"]) > 1
    return [
        dict(zip(columns, (*_named_levels(label, named, is_deep=is_deep), *cells), strict=True))
        for label, cells in zip(
            table["index"], ([_cell(one) for one in row] for row in table["data"]), strict=True
        )
    ]


def _named_levels(label: Any, named: list[tuple[int, Any]], *, is_deep: bool) -> list[Any]:
    """The cells of a row's index; `named` are the levels with a name."""
    levels = label if is_deep else (label,)
    return [_cell(levels[at]) for at, _ in named]


def _cell(value: Any) -> Any:
    """A cell of pandas: None for what it writes into empty ones; infinity as text, which is noted
    where it is read.
    """
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _dictionaries(rows: Iterable[object]) -> list[object]:
    """The rows as a list; raises InputError if one is no dictionary."""
    listed = list(rows)
    for number, row in enumerate(listed, start=1):
        if not isinstance(row, Mapping):
            raise InputError(
                f"Row {number} is no dictionary but of type {type(row).__name__}. {_OTHERWISE}"
            )
    return listed


def _as_json(records: list[Any]) -> str:
    """The records as JSON; raises InputError if they contain a value that JSON cannot express."""
    try:
        return json.dumps(records, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The table has a value that a file cannot express: {error}. Use text and numbers."
        ) from error


def _plain(value: Any) -> Any:
    """A number of numpy, a decimal or a date as JSON has it. Raises TypeError for others."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return dict(value)
    if callable(unwrap := getattr(value, "tolist", None)):
        return unwrap()
    raise TypeError(f"{value!r:.60} is of type {type(value).__name__}")
