"""Pictures beside the catalogue: found inside its folder only, and only if they are pictures."""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.catalogues import picture_bytes, read_text
from weighbridge.domain.products import Picture
from weighbridge.errors import UnreadableFile
from weighbridge.fetching.picture_process import Bounds, NoPicture, re_encode
from weighbridge.ingest.catalogue import read_catalogue
from weighbridge.ingest.decisions import ReadOptions
from weighbridge.ingest.values.pictures import MAX_PICTURE_BYTES, PictureFolder, check_picture

if TYPE_CHECKING:
    from pathlib import Path


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds a single pixel."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b"\0\0\0\0"), b"IEND"]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_the_four_kinds_are_recognised_by_content(kind: str, media_type: str) -> None:
    data = picture_bytes(kind)
    assert check_picture(data) == Picture(
        hashlib.sha256(data).hexdigest(), media_type, 40, 30, len(data)
    )


def test_a_multi_picture_jpeg_counts_as_jpeg() -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (16, 8), colour) for colour in ("red", "green")]
    frames[0].save(file, "MPO", save_all=True, append_images=frames[1:])
    assert check_picture(file.getvalue()).media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"no picture" * 10, "not a JPEG, PNG|damaged"),
        (picture_bytes("BMP"), "not a JPEG, PNG"),
        (picture_bytes("TIFF"), "not a JPEG, PNG"),
        (png_header(7_000, 7_500), "50 million pixels"),
        (png_header(10_000, 10_000), "50 million pixels"),
        (png_header(100_000, 100_000), "50 million pixels"),
        (png_header(20_000, 10), "50 million pixels|side above"),
        (b"\xff\xd8\xff" + b"\0" * MAX_PICTURE_BYTES, "larger than 20 MB"),
    ],
)
def test_invalid_pictures_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        check_picture(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    data = picture_bytes(kind, (400, 300))
    with pytest.raises(UnreadableFile, match=r"damaged|not a JPEG"):
        check_picture(data[: len(data) // 2])


def test_an_animation_is_refused() -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableFile, match="animation"):
        check_picture(file.getvalue())


@pytest.fixture
def catalogue_folder(tmp_path: Path) -> Path:
    """A folder with pictures/a.png in it, and a secret picture outside."""
    folder = tmp_path / "catalogue"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.png").write_bytes(picture_bytes("PNG"))
    (tmp_path / "secret.png").write_bytes(picture_bytes("PNG", (50, 50)))
    return folder


@pytest.mark.parametrize(
    "path", ["pictures/a.png", "./pictures/a.png", "pictures\\a.png", "pictures//a.png"]
)
def test_a_picture_beside_the_catalogue_is_found(catalogue_folder: Path, path: str) -> None:
    found = PictureFolder(catalogue_folder).find(path)
    assert (found.picture.width_px, found.picture.height_px) == (40, 30)
    assert hashlib.sha256(found.read()).hexdigest() == found.picture.sha256


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "pictures/../../secret.png",
        "pictures/../pictures/a.png",
        "..\\secret.png",
        "/etc/passwd",
        "\\etc\\passwd",
        "C:\\secret.png",
        "C:secret.png",
        "\\\\server\\share\\secret.png",
        "//server/share/secret.png",
        "pictures/a.png\0.txt",
        "pictures",
        ".",
        "pictures/missing.png",
        "x" * 5000,
    ],
)
def test_paths_cannot_leave_the_folder(catalogue_folder: Path, path: str) -> None:
    with pytest.raises(UnreadableFile):
        PictureFolder(catalogue_folder).find(path)


def test_links_cannot_leave_the_folder(catalogue_folder: Path, tmp_path: Path) -> None:
    (catalogue_folder / "link.png").symlink_to(tmp_path / "secret.png")
    (catalogue_folder / "up").symlink_to(tmp_path)
    (catalogue_folder / "loop.png").symlink_to(catalogue_folder / "loop.png")
    (catalogue_folder / "inside.png").symlink_to(catalogue_folder / "pictures" / "a.png")
    folder = PictureFolder(catalogue_folder)
    for path in ("link.png", "up/secret.png", "loop.png"):
        with pytest.raises(UnreadableFile):
            folder.find(path)
    assert folder.find("inside.png").picture.width_px == 40


def test_a_picture_that_changes_during_the_import_is_noticed(catalogue_folder: Path) -> None:
    found = PictureFolder(catalogue_folder).find("pictures/a.png")
    (catalogue_folder / "pictures" / "a.png").write_bytes(picture_bytes("PNG", (5, 5)))
    with pytest.raises(UnreadableFile, match="changed while"):
        found.read()


def test_a_catalogue_names_pictures_beside_it(catalogue_folder: Path) -> None:
    (catalogue_folder / "fake.png").write_bytes(b"#!/bin/sh\n")
    text = (
        "code,name,description,image\n"
        "A,n,d,pictures/a.png\nB,n,d,../secret.png\nC,n,d,fake.png\nD,n,d,pictures/a.png\nE,n,d,\n"
    )
    found = read_text(catalogue_folder, text)
    assert [(p.code, p.picture is not None, p.image_url) for p in found.products] == [
        ("A", True, None),
        ("B", False, None),
        ("C", False, None),
        ("D", True, None),
        ("E", False, None),
    ]
    assert [(note.row, note.field, note.code) for note in found.notes] == [
        (3, "imageUrl", "B"),
        (4, "imageUrl", "C"),
    ]
    assert "whatever its name says" in found.notes[1].reason


def test_an_uploaded_catalogue_cannot_name_server_files(catalogue_folder: Path) -> None:
    path = catalogue_folder / "a.csv"
    path.write_text("code,name,description,image\nA,n,d,pictures/a.png\n")
    (chunk,) = read_catalogue(path, ReadOptions(pictures_beside=False))
    assert chunk.products["picture_sha256"].to_list() == [None]
    assert "paths of files are not followed" in next(chunk.iterate_notes()).reason


def test_jpeg_with_hundreds_of_scans_is_refused() -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (120, 30, 200)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    assert check_picture(data).media_type == "image/jpeg"
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(UnreadableFile, match="more than 64 scans"):
        check_picture(data[:-2] + last_scan * 300 + data[-2:])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_no_damage_is_a_bug(kind: str) -> None:
    """Cut after each byte, and each byte doubled, left out or changed: a picture or a reason."""
    whole = picture_bytes(kind, (12, 9))
    for at in range(len(whole)):
        head, tail = whole[:at], whole[at + 1 :]
        byte = whole[at : at + 1]
        spoilt = [head, head + tail, head + byte + byte + tail]
        spoilt += [head + bytes([value]) + tail for value in (0, 3, 0x2C, 0x3B, 0xFF)]
        for data in spoilt:
            for check in (check_picture, lambda data: re_encode(data, Bounds(0, 0, 0))):
                with contextlib.suppress(UnreadableFile, NoPicture):
                    check(data)
