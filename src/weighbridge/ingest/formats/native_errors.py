"""Turns what the compiled reader (polars) raises on damaged files into UnreadableFile.

A corrupt file can also make its Rust code panic; that arrives as a BaseException and must not end
the program.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from weighbridge.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def damaged_means_unreadable(kind: str) -> Iterator[None]:
    """Context manager that turns a compiled reader's errors into UnreadableFile.

    `kind` names the file in the message: "Parquet file".
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        cause = str(error).strip().split("\n", 1)[0]
        raise UnreadableFile(
            f"The {kind} is damaged or not complete: {cause}. Save it again in the program that "
            "made it."
        ) from error
    except BaseException as error:  # a panic of Rust is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableFile(
            f"The {kind} is damaged and cannot be read. Save it again in the program that made it."
        ) from error
