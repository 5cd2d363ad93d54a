"""Texts of 250,000 characters that are made to keep a parser busy end at once.

A parser that looks at each character a bounded number of times needs a tenth of a second for any of
these; one that goes back over them needs minutes, and the test's time limit ends it.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest

from weighbridge.carbon.catalogue_facts import parts_named
from weighbridge.ingest.checking.pictures import read_pictures
from weighbridge.ingest.columns.headers import read_header
from weighbridge.ingest.formats.csv_records import RecordCutter
from weighbridge.ingest.values import amounts
from weighbridge.ingest.values.countries import read_country
from weighbridge.ingest.values.currencies import currency_of
from weighbridge.ingest.values.weights import read_weight
from weighbridge.plain_text import visible
from weighbridge.providers.faults.evidence import read_evidence
from weighbridge.providers.faults.masking import Masker
from weighbridge.providers.replies.extraction import NoJson, after_reasoning, find_document

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH: Final = 250_000
UNITS: Final = (
    " ", "\t", "\n", "\xa0", "a", "A", "0", "é", "中", "\\", '"', "'", ",", ";", ".", "-", "_", "/", "(", "[", "{", "<", "&", "%", "*", "=", ":",
    "1 ", "1,", "1.", "a ", "a, ", "1/", "1x", "1 kg ", "a 1 %", "1 % ", '\\"', '""', '{"', '{"a":', "[1,", "</", "<a", "<title>",
    "&amp;", "&quot;", "a@", "://", "http://", "sk-", "Bearer ", "data:", "a***", "** ", "<think>", "\r\n", "\x1b[", "\u202e",
)  # fmt: skip
"""What such texts repeat."""


def pictures(text: str) -> None:
    read_pictures(pl.Series([text]), 2_000, None)


def records(text: str) -> None:
    for _ in RecordCutter(io.StringIO(text, newline=""), ","):
        pass


def document(text: str) -> None:
    with contextlib.suppress(NoJson):
        find_document(after_reasoning(text), is_cut=False)


def evidence(text: str) -> None:
    read_evidence(500, None, text.encode())
    read_evidence(500, {"error": {"message": text, "code": text}}, b"{}")


PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "a weight": read_weight,
    "a price": lambda text: amounts.read_price(text, None),
    "a quantity": lambda text: amounts.read_quantity(text, None),
    "pieces": lambda text: amounts.read_pieces(text, None),
    "a supplier's footprint": lambda text: amounts.read_footprint(text, None),
    "a country": read_country,
    "a currency": currency_of,
    "pictures": pictures,
    "a header": read_header,
    "a composition": parts_named,
    "records of CSV": records,
    "an answer of a model": document,
    "an error of a provider": evidence,
    "what is masked": Masker("").mask,
    "what is shown": visible,
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("parser", PARSERS)
def test_a_long_text_keeps_no_parser_busy(parser: str) -> None:
    for unit in UNITS:
        repeated = unit * (LENGTH // len(unit))
        for text in (repeated, f"1{repeated}!", f'{{"a": "{repeated}}}'):
            PARSERS[parser](text)
