"""A workbook of 320 products whose sheets have headers in sixteen languages, as people write them:
every column is recognised and every value arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xlsxwriter

from weighbridge.ingest.base import Choices
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.columns.fields import Field
from weighbridge.ingest.decisions import ReadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.domain.products import Product

FIELDS = (
    Field.CODE, Field.NAME, Field.DESCRIPTION, Field.WEIGHT, Field.GROSS_WEIGHT, Field.COUNTRY,
    Field.MATERIALS, Field.RECYCLED_SHARE, Field.PIECES_PER_PACK, Field.PRICE, Field.QUANTITY,
    Field.SUPPLIER_FOOTPRINT, Field.IMAGE,
)  # fmt: skip
HEADERS = {
    "English": "Item no.|Item name|Long description|Net weight [g]|Gross weight (g)|Made in|Material composition|Recycled content (%)|Pieces per pack|Unit price (EUR)|Annual quantity|Supplier carbon footprint (kg CO2e)|Picture link",
    "Deutsch": "Artikel-Nr.|Artikelbezeichnung|Langtext|Nettogewicht in g|Bruttogewicht (g)|Ursprungsland|Zusammensetzung|Rezyklatanteil in %|Stück pro Packung|Stückpreis in EUR|Jahresmenge|CO2-Fußabdruck laut Lieferant (kg CO2e)|Bild-Link",
    "Français": "Référence article|Désignation|Description longue|Poids net (g)|Poids brut en g|Pays d’origine|Composition|Part recyclée (%)|Pièces par paquet|Prix unitaire (EUR)|Quantité annuelle|Empreinte carbone du fournisseur (kg CO2e)|Lien de l'image",
    "Español": "Código de artículo|Nombre del artículo|Descripción|Peso neto (g)|Peso bruto (g)|País de origen|Composición|Contenido reciclado (%)|Unidades por paquete|Precio unitario (EUR)|Cantidad anual|Huella de carbono del proveedor (kg CO2e)|Enlace de imagen",
    "Italiano": "Codice articolo|Nome articolo|Descrizione|Peso netto (g)|Peso lordo (g)|Paese di origine|Composizione|Contenuto riciclato (%)|Pezzi per confezione|Prezzo unitario (EUR)|Quantità annua|Impronta di carbonio del fornitore (kg CO2e)|Link immagine",
    "Nederlands": "Artikelnr.|Artikelnaam|Lange omschrijving|Nettogewicht (g)|Brutogewicht (g)|Land van herkomst|Samenstelling|Gerecycled aandeel (%)|Stuks per verpakking|Stukprijs (EUR)|Jaarlijkse hoeveelheid|CO2-voetafdruk leverancier (kg CO2e)|Link afbeelding",
    "Polski": "Nr artykułu|Nazwa artykułu|Opis|Masa netto (g)|Masa brutto (g)|Kraj pochodzenia|Skład materiałowy|Udział recyklatu (%)|Sztuk w opakowaniu|Cena jednostkowa (EUR)|Ilość roczna|Ślad węglowy dostawcy (kg CO2e)|Link do zdjęcia",
    "Português": "Código do artigo|Nome do artigo|Descrição|Peso líquido (g)|Peso bruto (g)|País de origem|Composição|Conteúdo reciclado (%)|Peças por embalagem|Preço unitário (EUR)|Quantidade anual|Pegada de carbono do fornecedor (kg CO2e)|Link da imagem",
    "Svenska": "Artikelnummer|Artikelnamn|Beskrivning|Nettovikt (g)|Bruttovikt (g)|Ursprungsland|Materialsammansättning|Återvunnen andel (%)|Antal per förpackning|Styckpris (EUR)|Årlig kvantitet|Leverantörens koldioxidavtryck (kg CO2e)|Bildlänk",
    "日本語": "商品番号|商品名|商品説明|正味重量(g)|総重量(g)|原産国|素材|リサイクル率(%)|入数|単価(EUR)|年間数量|サプライヤーのカーボンフットプリント(kg CO2e)|画像リンク",
    "Čeština": "Číslo zboží|Název zboží|Popis zboží|Čistá hmotnost (g)|Hrubá hmotnost (g)|Země původu|Materiálové složení|Podíl recyklátu (%)|Počet kusů v balení|Jednotková cena (EUR)|Roční množství|Uhlíková stopa dodavatele (kg CO2e)|Odkaz na obrázek",
    "Dansk": "Varenr.|Varenavn|Varebeskrivelse|Nettovægt (g)|Bruttovægt (g)|Oprindelsesland|Materialesammensætning|Genanvendt andel (%)|Antal pr. pakke|Stykpris (EUR)|Årlig mængde|Leverandørens klimaaftryk (kg CO2e)|Link til billede",
    "Türkçe": "Ürün kodu|Ürün adı|Ürün açıklaması|Net ağırlık (g)|Brüt ağırlık (g)|Menşe ülkesi|Malzeme bileşimi|Geri dönüştürülmüş içerik (%)|Paket içi adet|Birim fiyat (EUR)|Yıllık miktar|Tedarikçi karbon ayak izi (kg CO2e)|Görsel linki",
    "Русский": "Артикул товара|Наименование товара|Описание товара|Вес нетто, г|Вес брутто, г|Страна происхождения|Состав материала|Доля вторсырья, %|Количество в упаковке|Цена за единицу (EUR)|Годовое количество|Углеродный след поставщика (кг CO2e)|Ссылка на фото",
    "中文": "产品编号|产品名称|产品描述|净重（克）|毛重（克）|原产国|材质成分|再生料比例(%)|每包数量|单价(EUR)|年采购量|供应商碳足迹(kg CO2e)|图片链接",
    "한국어": "제품번호|제품명|제품설명|순중량(g)|총중량(g)|원산지|소재 구성|재활용 함량(%)|포장당 수량|단가(EUR)|연간수량|공급업체 탄소발자국(kg CO2e)|이미지 링크",
}  # fmt: skip
PER_SHEET = 20


def row_of(number: int) -> list[object]:
    return [
        f"P-{number:03d}", f"Chair {number}", f"Chair of oak, number {number}", 1200 + number,
        1500 + number, "DE", "80 % oak, 20 % steel", 25, 4, 19.5, 1000 + number, 3.5,
        f"https://img.example/{number}.jpg",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("languages") / "sixteen.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for sheet_number, (language, headers) in enumerate(HEADERS.items()):
            sheet = book.add_worksheet(language)
            sheet.write_row(0, 0, headers.split("|"))
            for i in range(PER_SHEET):
                sheet.write_row(i + 1, 0, row_of(sheet_number * PER_SHEET + i))
    return path


def check(product: Product, number: int) -> None:
    facts = product.facts
    assert (product.name, product.country_of_origin) == (f"Chair {number}", "DE")
    assert product.weight_kg == pytest.approx(1.2 + number / 1000)
    assert facts.gross_weight_kg == pytest.approx(1.5 + number / 1000)
    assert (facts.materials, facts.recycled_share) == ("80 % oak, 20 % steel", 0.25)
    assert (facts.pieces_per_pack, facts.quantity) == (4, 1000 + number)
    assert (facts.price, facts.currency) == (19.5, "EUR")
    assert facts.supplier_footprint_kg_co2e == 3.5
    assert product.image_url == f"https://img.example/{number}.jpg"


@pytest.mark.parametrize("language", HEADERS)
def test_every_column_of_a_language_is_recognised(workbook: Path, language: str) -> None:
    catalogue = Catalogue(workbook, ReadOptions(choices=Choices(sheet=language)))
    columns = catalogue.head.columns
    headers = HEADERS[language].split("|")
    taken = {columns.header(name): name for name in columns.positions}
    assert taken == dict(zip(headers, FIELDS, strict=True))


def test_all_sheets_with_the_same_columns_are_read_whatever_their_language(workbook: Path) -> None:
    catalogue = Catalogue(workbook)
    assert [sheet.used for sheet in catalogue.head.source.sheets] == [True] * len(HEADERS)
    chunks = [*catalogue.chunks()]
    products = [product for chunk in chunks for product in chunk.iterate_products()]
    assert len(products) == PER_SHEET * len(HEADERS)
    assert not any(chunk.rejected or chunk.notes.height for chunk in chunks)
    for number, product in enumerate(products):
        check(product, number)
