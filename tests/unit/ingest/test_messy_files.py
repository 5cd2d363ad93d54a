"""Files as programs and people leave them: what they mean comes out, and what does not is said."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.catalogues import WRITERS, read_file, read_text, write_text
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.decisions import ReadOptions

if TYPE_CHECKING:
    from pathlib import Path

CUP = {"code": "A", "name": "Cup", "description": "Of glass", "weight kg": "0.3"}
MUG = {"code": "B", "name": "Mug", "description": "Of stone", "weight kg": "0.4"}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("change", [str, str.upper, str.title], ids=["same", "upper", "title"])
def test_a_header_that_comes_again_is_no_product(
    tmp_path: Path, kind: str, change: type[str]
) -> None:
    name, write = WRITERS[kind]
    again = {header: change(header) for header in CUP}
    write(tmp_path / name, [CUP, again, MUG])
    found = read_file(tmp_path / name)
    assert [product.code for product in found.products] == ["A", "B"]
    assert [row.reason for row in found.rejected] == [
        "the row repeats the header and holds no product"
    ]
    assert found.notes == []


@given(st.lists(st.text("0123456789-ABC é;,'", min_size=1, max_size=9), min_size=1, max_size=9))
def test_a_code_protected_from_spreadsheets_is_the_code(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    codes = [f"0{i}{text}0" for i, text in enumerate(texts)]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["code", "name", "description", "weight (g)"])
    writer.writerows([f'="{code}"', '="Cup"', "Of glass", '="300"'] for code in codes)
    found = read_text(tmp_path_factory.mktemp("p"), file.getvalue())
    assert [product.code for product in found.products] == codes
    assert {(product.name, product.weight_kg) for product in found.products} == {("Cup", 0.3)}


@given(
    st.lists(st.text("abc-_. é", min_size=1, max_size=9).map(str.strip), max_size=4),
    st.sampled_from([json.dumps, repr, lambda texts: json.dumps(texts, indent=1)]),
)
def test_a_list_in_a_cell_is_its_entries(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], write: object
) -> None:
    assert callable(write)
    addresses = list(
        dict.fromkeys(
            f"https://x.example/{i}-{n.replace(' ', '')}.jpg" for i, n in enumerate(names)
        )
    )
    file = io.StringIO()
    rows = [
        ["code", "name", "description", "images", "materials"],
        ["A", "Cup", "Of glass", write(addresses), write(["glass", *names])],
    ]
    csv.writer(file).writerows(rows)
    found = read_text(tmp_path_factory.mktemp("l"), file.getvalue())
    (product,) = found.products
    pictures = [product.image_url, *product.more_pictures] if product.image_url else []
    assert pictures == addresses
    assert product.facts.materials == ", ".join(["glass", *filter(None, names)])


SMALL_FILES = {
    "gb18030": "货号,品名,描述,净重(克)\nA,茶杯,玻璃茶杯,300\n",
    "big5": "貨號,品名,描述,淨重(克)\nA,茶杯,玻璃茶杯,300\n",
    "shift_jis": "商品コード,商品名,商品説明,重量(g)\nA,茶碗,陶器の茶碗,300\n",
    "euc_jp": "商品コード,商品名,商品説明,重量(g)\nA,茶碗,陶器の茶碗,300\n",
    "euc_kr": "상품코드,상품명,설명,무게(g)\nA,컵,유리 컵,300\n",
    "cp1251": "артикул;название;описание;вес (г)\nA;Чашка;Из стекла;300\n",
    "koi8_r": "артикул;название;описание;вес (г)\nA;Чашка;Из стекла;300\n",
    "cp1253": "κωδικός;όνομα;περιγραφή;βάρος (g)\nA;Φλιτζάνι;Γυάλινο;300\n",
    "cp1252": "Código;Título;Descrição;Peso (g)\nA;Xícara;De vidro;300\n",
    "cp1254": "Ürün kodu;Ürün adı;Ürün açıklaması;Ağırlık (g)\nA;Şişe;Yeşil cam;300\n",
    "cp1250": "kód;název;popis výrobku;čistá hmotnost (g)\nA;Šálek;Ze skla;300\n",
}


@pytest.mark.parametrize("encoding", SMALL_FILES)
def test_headers_tell_the_encoding_of_a_file_of_one_product(tmp_path: Path, encoding: str) -> None:
    text = SMALL_FILES[encoding]
    plain = read_text(tmp_path, text, name="plain.csv").products
    found = read_file(write_text(tmp_path / "a.csv", text, encoding)).products
    assert found == plain
    assert found[0].weight_kg == 0.3


def test_a_header_in_ascii_leaves_the_encoding_to_the_text(tmp_path: Path) -> None:
    text = "kod;nazwa;opis\nA;Świeca;Żółta świeca z wosku pszczelego\n"
    path = write_text(tmp_path / "a.csv", text, "cp1250")
    assert Catalogue(path, ReadOptions()).head.source.encoding == "Windows-1250"


@pytest.mark.parametrize("kind", WRITERS)
def test_a_second_table_is_not_read_by_the_header_of_the_first(tmp_path: Path, kind: str) -> None:
    name, write = WRITERS[kind]
    second = [
        {"code": "Ref", "name": "Menge", "description": "Preis", "weight kg": "Land"},
        {"code": "X1", "name": "20", "description": "30", "weight kg": "DE"},
    ]
    write(tmp_path / name, [CUP, MUG, *second])
    found = read_file(tmp_path / name)
    assert [product.code for product in found.products] == ["A", "B"]
    assert len(found.rejected) == 2
    assert all(
        "a second table begins" in row.reason and '"Ref", "Menge", "Preis"' in row.reason
        for row in found.rejected
    )


def test_a_header_in_other_words_costs_only_its_row(tmp_path: Path) -> None:
    text = "code,name,description,weight kg\nA,Cup,Of glass,0.3\nSKU,Title,Long description,Weight\nB,Mug,Of stone,0.4\n"
    found = read_text(tmp_path, text)
    assert [product.code for product in found.products] == ["A", "B"]
    assert [(row.row, row.field) for row in found.rejected] == [(3, "row")]


def test_a_product_that_is_called_like_a_column_is_a_product(tmp_path: Path) -> None:
    text = "code,name,description\nA-1,Label,Text\nB-2,Material,Fabric\nTitle,Photo,Of a cat\n"
    assert len(read_text(tmp_path, text).products) == 3
