"""How a step shows its answers to people: the fields that exports and the API have for them.

A step lists its fields; every format of `export/` and the API take them from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Plain = type[str] | type[float] | type[int] | type[bool]
"""What a single value can be; any of them may be missing."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """How a field looks in CSV and XLSX.

    `width` is in characters; `number_format` is Excel's, None for text.
    """

    width: int
    unit: str = ""
    number_format: str | None = None


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field of an answer.

    `kind` is the type of the value, or the names and types of the records of a list. Only single
    values have a `column`: lists are in JSONL, Parquet and the API alone.
    """

    name: str  # in CSV, XLSX and Parquet: snake_case
    json_name: str  # in JSONL and the API: camelCase
    meaning: str
    kind: Plain | Mapping[str, Plain]
    value: Callable[
        [Any], Any
    ]  # of an answer: a value of `kind`, or a list of records as dictionaries
    column: TableColumn | None = None

    @property
    def is_list(self) -> bool:
        """Whether it is a list of records."""
        return isinstance(self.kind, Mapping)

    @property
    def empty(self) -> Any:
        """What is shown where there is no answer."""
        return [] if self.is_list else None
