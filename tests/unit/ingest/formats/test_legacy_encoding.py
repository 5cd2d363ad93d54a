"""Files in the encodings from before Unicode are recognised, or refused with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.catalogues import read_file, write_text
from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.base import Choices
from weighbridge.ingest.decisions import ReadOptions

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "sku;name;description\n"


@pytest.mark.parametrize(
    ("encoding", "name", "description"),
    [
        ("gb18030", "不锈钢保温杯", "500毫升双层真空不锈钢保温杯"),
        ("gbk", "竹制砧板", "天然竹制砧板，厨房家用切菜板，500毫升"),
        ("big5", "不鏽鋼保溫杯", "雙層真空不鏽鋼保溫杯"),
        ("shift_jis", "ステンレスボトル", "真空断熱のステンレスボトル"),
        ("euc_jp", "ステンレスボトル", "真空断熱のステンレスボトル、まな板、竹のまな板"),
        ("euc_kr", "스테인리스 보온병", "이중 진공 스테인리스 보온병"),
        ("windows-1251", "Термос", "Стальной термос с двойными стенками"),
        ("koi8-r", "Доска", "Разделочная доска из бамбука, стальной термос с двойными стенками"),
        ("windows-1253", "Κουτάλι", "Κουτάλι από ανοξείδωτο ατσάλι"),
        ("windows-1250", "Łyżka", "Łyżka ze stali nierdzewnej, długość 20 cm"),
        ("windows-1250", "Krzesło", "drewniane"),
        ("windows-1250", "Krzesło", "stół drewniany, żółty"),
        ("windows-1250", "Židle", "dřevěná, šíře 40 cm"),
        ("windows-1252", "Dämmplatte", "0,3 W/m²K, 40 kWh/m²a, 3 m³"),
        ("windows-1250", "Žlutý hrnek", "Keramický hrnek s víčkem, příliš žluťoučký"),
        ("windows-1250", "Fűtő", "Fűtőtest, erős, kis méretű"),
        ("windows-1252", "Löffel", "Löffel aus Edelstahl, weiß"),
        ("windows-1252", "Théière", "Théière en grès émaillé, qualité supérieure"),
        ("windows-1252", "Stol", "Stol för kök, blå"),
        ("windows-1252", "Cadeira", "Cadeira de madeira com braços, não dobrável"),
        ("windows-1252", "Table – 5 €", "A table of oak"),
        ("windows-1254", "Kaşık", "Paslanmaz çelik kaşık, geniş ağızlı"),
        ("cp850", "Löffel", "Löffel aus Edelstahl, Länge 20 cm"),
        # Suppliers, places and brands of other languages than the shop's.
        ("windows-1252", "Wolldecke Serra Têxtil", "500 g/m², Rösterei Nord, Chocolat Léman"),
        ("windows-1252", "Köttbullar från São Paulo", "Größe M, crème brûlée, piñata"),
        ("windows-1250", "Łódź świeca, Plzeň", "Größe M, Győr, příliš žluťoučký kůň"),
    ],
)
def test_the_text_survives(tmp_path: Path, encoding: str, name: str, description: str) -> None:
    path = write_text(tmp_path / "a.csv", f"{HEADER}A;{name};{description}\n", encoding)
    (product,) = read_file(path).products
    assert (product.name, product.description) == (name, description)


def test_what_fits_no_encoding_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    noise = bytes(value for value in range(128, 256) for _ in range(3))
    path.write_bytes(HEADER.encode() + b"A;" + noise + b";" + noise[::-1] + b"\n")
    with pytest.raises(UnreadableFile, match="--encoding"):
        read_file(path)


def test_an_encoding_that_is_said_is_used(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", f"{HEADER}A;Łyżka;ś\n", "windows-1250")
    options = ReadOptions(choices=Choices(encoding="windows-1250"))
    assert read_file(path, options).products[0].name == "Łyżka"
    with pytest.raises(InputError, match="no encoding"):
        read_file(path, ReadOptions(choices=Choices(encoding="klingon")))


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "cp866"])
def test_known_headers_settle_what_a_short_text_leaves_in_doubt(
    tmp_path: Path, encoding: str
) -> None:
    text = "Артикул;Наименование;Описание;Вес, г;Страна\nA;Стул;Стул из дуба;5400;Китай\n"
    path = write_text(tmp_path / "a.csv", text, encoding)
    choices = Choices(encoding="cp866") if encoding == "cp866" else Choices()
    (product,) = read_file(path, ReadOptions(choices=choices)).products
    assert (product.name, product.weight_kg, product.country_of_origin) == ("Стул", 5.4, "CN")
