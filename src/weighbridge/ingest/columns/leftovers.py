"""Columns that are not used, and which of them look as if they should be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.columns.headers import read_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.ingest.columns.matching import ColumnMap

_STEMS: Final = {
    Field.GROSS_WEIGHT: r"gross|brutto|\bbrut\b|bruto|lordo",
    Field.WEIGHT: r"weight|\bmass\b|gewicht|poids|\bpeso\b|\bwaga\b|hmotnost|\bvikt\b|\bvekt\b|vægt|paino|ağırlık|\bвес\b|масса|重量|重さ|무게|중량",
    Field.COUNTRY: r"countr|\borigin|herkunft|ursprung|\bpays\b|país|paese|\bkraj\b|země|страна|产地|原产|원산",
    Field.IMAGE: r"image|picture|photo|\bbild|\bfoto|imagen|immagin|afbeeld|zdjęc|obráz|изображ|картин|图片|画像|이미지",
    Field.MATERIALS: r"material|composition|zusammensetz|werkstoff|matière|composic|composizion|samenstell|skład|složen|состав|材质|材料|素材|소재",
    Field.RECYCLED_SHARE: r"recycl|rezyklat|riciclat|recicl|переработ",
    Field.SUPPLIER_FOOTPRINT: r"co2|\bpcf\b|carbon|footprint|\bgwp|emission",
    Field.PIECES_PER_PACK: r"per pack|pack size|packungs|per carton",
    Field.QUANTITY: r"quantit|\bqty\b|\bmenge|cantidad|ilość|množství|количеств|数量|수량|volume",
    Field.PRICE: r"price|\bpreis|\bprix\b|precio|prezzo|\bcena\b|цена|价格|価格|가격",
    Field.DESCRIPTION: r"descri|beschreib|bezeichn|omschrijv|beskriv|описан|描述|説明|설명",
    Field.NAME: r"\bname|\btitle|\btitel|\bnom\b|nombre|\bnome\b|назван|наименов|名称|品名|이름",
}  # fmt: skip
"""For each field, a regular expression for words in a header that may be meant for it."""
_PATTERNS: Final = {field: re.compile(stem, re.IGNORECASE) for field, stem in _STEMS.items()}


_NUMBERED: Final = re.compile(
    r"(?P<what>material|werkstoff|mass|weight|gewicht|process|component|bauteil)\D*(?P<number>\d{1,3})\D*",
    re.IGNORECASE,
)
_MATERIALS: Final = frozenset({"material", "werkstoff"})
_MASSES: Final = frozenset({"mass", "weight", "gewicht"})
OWN_BILLS: Final = (
    "it is of a bill of materials of your own: once the products are stored, weighbridge bills FILE "
    "(on the dashboard: Review) reads these"
)


@dataclass(frozen=True, slots=True)
class UnusedColumn:
    """A column that is not used; `looks_like` is the field that its header may be meant for.

    `is_of_bill`: it is one of the numbered columns of a bill of materials, such as `mass_kg 2`.
    """

    column: str
    looks_like: Field | None = None
    is_of_bill: bool = False

    @property
    def remedy(self) -> str | None:
        """The option that would use the column for the field it looks like, or what else to do."""
        if self.is_of_bill:
            return OWN_BILLS
        if self.looks_like is Field.CODE:
            return (
                "a second table beside the first is not read: give it a sheet or a file of its own"
            )
        return f'--map "{self.looks_like}={self.column}"' if self.looks_like else None


def unused_columns(columns: ColumnMap) -> tuple[UnusedColumn, ...]:
    """Every named column that no field is taken from, in the order of the file."""
    used = set(columns.columns().values())
    of_bills = _of_bills(columns.headers)
    return tuple(
        UnusedColumn(header, is_of_bill=True)
        if header in of_bills
        else UnusedColumn(header, _reminds_of(header, columns))
        for position, header in enumerate(columns.headers)
        if header.strip() and position not in used
    )


def _of_bills(headers: Sequence[str]) -> frozenset[str]:
    """The numbered columns of own bills of materials: those of a number that has a material and its
    mass.
    """
    numbered: dict[str, dict[str, str]] = {}
    for header in headers:
        if match := _NUMBERED.fullmatch(header.strip()):
            numbered.setdefault(match["number"], {})[header] = match["what"].lower()
    found: set[str] = set()
    for of_number in numbered.values():
        what = set(of_number.values())
        if what & _MATERIALS and what & _MASSES:
            found |= of_number.keys()
    return frozenset(found)


def _reminds_of(header: str, columns: ColumnMap) -> Field | None:
    """The field that the header may be meant for; a unit of mass alone reminds of a weight.

    If the headers of code and name occur once more, a second table stands beside the first, and its
    header of codes may be meant for the code.
    """
    own = (columns.header(Field.CODE), columns.header(Field.NAME))
    if header == own[0] and columns.headers.count(own[1] or "") > 1:
        return Field.CODE
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-./]", " ", header)
    for name, pattern in _PATTERNS.items():
        if pattern.search(spaced):
            return name
    return Field.WEIGHT if read_header(header).unit is not None else None
