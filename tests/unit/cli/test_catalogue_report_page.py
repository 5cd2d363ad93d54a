"""The page on uploads shows what `inspect` prints today."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from weighbridge.cli.reading import print_report
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.report import ReportBuilder

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "upload-a-catalogue.md"
SHOP = """\
Handle,Title,Body (HTML),Option1 Name,Option1 Value,Variant SKU,Variant Grams,Variant Price,Image Src,Image Position,Vendor
wool-rug,Wool rug,<p>Woven rug of wool</p>,Size,Small,R-S,2100,90.00,https://img.example/r1.jpg,1,Acme
wool-rug,,,,Large,R-L,4300,160.00,,,
wool-rug,,,,,,,,https://img.example/r2.jpg,2,
jug,Glass jug,,Title,Default Title,J-1,0,25.00,,,Acme
lamp,Desk lamp,<p>Lamp of steel</p>,Finish,Black,L-B,1500,70.00,,,Acme
lamp,,,,White,,1500,70.00,,,
"""


def test_page_shows_the_report_as_it_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(SHOP, encoding="utf-8")
    catalogue = Catalogue(path)
    builder = ReportBuilder(catalogue.head)
    assert sum(chunk.products.height for chunk in builder.watch(catalogue.chunks())) == 4
    screen = io.StringIO()
    print_report(Console(file=screen, width=150), builder.report(), None)
    lines = [line.rstrip() for line in screen.getvalue().splitlines()]
    assert "\n".join(lines) in PAGE.read_text(encoding="utf-8")
