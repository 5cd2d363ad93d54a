"""Up to four pictures of a product, however its owner or shop names them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.catalogues import read_file
from tests.support.picture_shop import picture
from weighbridge.domain.products import MOST_PICTURES, Picture

if TYPE_CHECKING:
    from pathlib import Path


def _url(number: int) -> str:
    return f"https://img.example/{number}.jpg"


def _read(tmp_path: Path, columns: dict[str, str]) -> tuple[tuple[Picture | str, ...], list[str]]:
    """The pictures of the only product, and the notes about them."""
    cells = {"code": "A", "name": "Chair", "description": "Oak"} | columns
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps([cells]), encoding="utf-8")
    found = read_file(path)
    (product,) = found.products
    return product.pictures, [note.reason for note in found.notes]


@pytest.mark.parametrize(
    "headers",
    [
        ["image", "image 2", "image 3"],
        ["Image_1", "Image_2", "Image_3"],
        ["imageUrl", "imageUrl2", "imageUrl3"],
        ["image1_url", "image2_url", "image3_url"],
        ["Image URL 1", "Image URL 2", "Image URL 10"],
        ["Product Image URL - 1", "Product Image URL - 2", "Product Image URL - 3"],
        ["photo", "photo 02", "photo 03"],
        ["Bild", "Bild 2", "Bild 3"],
        ["Bild", "Bild 2", "Weitere Bilder"],
        ["image", "additional image link", "gallery"],
        ["image_link", "additional_image_link", "more images"],
        ["base_image", "additional_images", "extra images"],
        ["图片", "图片2", "图片3"],
    ],
)
def test_columns_of_further_pictures_are_found(tmp_path: Path, headers: list[str]) -> None:
    columns = {header: _url(i) for i, header in enumerate(headers)}
    assert _read(tmp_path, columns) == ((_url(0), _url(1), _url(2)), [])


@pytest.mark.parametrize(
    "header",
    ["image alt 2", "image 2 width", "image id 2", "imagine", "number of images", "image position"],
)
def test_other_columns_about_pictures_are_left_alone(tmp_path: Path, header: str) -> None:
    assert _read(tmp_path, {"image": _url(1), header: _url(2)})[0] == (_url(1),)


def test_numbers_and_not_positions_give_the_order(tmp_path: Path) -> None:
    columns = {"image 3": _url(3), "image 2": _url(2), "image": _url(1), "image 10": _url(10)}
    assert _read(tmp_path, columns)[0] == (_url(1), _url(2), _url(3), _url(10))


def test_files_are_not_taken_beside_the_addresses_of_the_same_pictures(tmp_path: Path) -> None:
    columns: dict[str, str] = {}
    for number in (1, 2):
        columns |= {f"Product Image File - {number}": f"p/{number}.jpg"}
        columns |= {f"Product Image URL - {number}": _url(number)}
    found, _ = _read(tmp_path, {"image url": _url(1), **columns})
    assert set(found) <= {_url(1), _url(2)}


@pytest.mark.parametrize("between", [", ", "|", ";", "\n", " ", ",\n"])
def test_several_in_one_cell_are_taken_with_a_note_of_those_above_four(
    tmp_path: Path, between: str
) -> None:
    pictures, notes = _read(tmp_path, {"image": between.join(_url(n) for n in range(7))})
    assert pictures == tuple(_url(n) for n in range(MOST_PICTURES))
    assert notes == ["4 of 7 pictures used"]


def test_the_same_picture_counts_once_and_empty_cells_do_not_count(tmp_path: Path) -> None:
    columns = {"image": "", "image 2": _url(2), "image 3": "n/a", "image 4": _url(2)}
    assert _read(tmp_path, columns) == ((_url(2),), [])


def test_what_cannot_be_used_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    columns = {"image": "ftp://img.example/1.jpg", "image 2": _url(2), "image 3": "missing.png"}
    pictures, (note,) = _read(tmp_path, columns)
    assert pictures == (_url(2),)
    assert note.startswith("1 of 3 pictures used; ")
    assert "ftp://img.example/1.jpg" in note
    assert "missing.png" in note


def test_files_beside_the_catalogue_are_held_too(tmp_path: Path) -> None:
    (tmp_path / "front.png").write_bytes(picture((40, 20)))
    (tmp_path / "back.png").write_bytes(picture((20, 40)))
    columns = {"image": "front.png", "image 2": "back.png", "image 3": _url(3)}
    (front, back, address), notes = _read(tmp_path, columns)
    assert isinstance(front, Picture)
    assert isinstance(back, Picture)
    assert (front.width_px, back.width_px, address, notes) == (40, 20, _url(3), [])


@pytest.mark.parametrize(
    "images",
    [
        [_url(1), _url(2)],
        [{"src": _url(1)}, {"src": _url(2)}],
        [{"url": _url(1), "alt": "x"}, {"url": _url(2)}, {"alt": "nothing"}],
        [[_url(1)], [_url(2)]],
    ],
)
def test_lists_in_json_are_several_pictures(tmp_path: Path, images: object) -> None:
    path = tmp_path / "c.json"
    record = {"code": "A", "name": "Chair", "description": "Oak", "images": images}
    path.write_text(json.dumps([record]), encoding="utf-8")
    (product,) = read_file(path).products
    assert product.pictures == (_url(1), _url(2))


def test_rows_of_a_shopify_export_give_the_pictures_of_their_product(tmp_path: Path) -> None:
    rows = ["Handle,Title,Body (HTML),Variant SKU,Variant Grams,Image Src,Image Position"]
    rows += [f"chair,Chair,Oak,C-1,900,{_url(2)},2", f"chair,,,,,{_url(1)},1"]
    rows += [f"chair,,,,,{_url(n)},{n}" for n in range(3, 8)]
    rows += [f"table,Table,Oak,T-1,900,{_url(9)},1"]
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    found = read_file(path)
    pictures = {product.code: product.pictures for product in found.products}
    assert pictures == {"C-1": (_url(1), _url(2), _url(3), _url(4)), "T-1": (_url(9),)}
    assert [note.reason for note in found.notes] == ["4 of 7 pictures used"]
