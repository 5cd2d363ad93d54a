"""Pictures beside the catalogue, and uploaded ones: checked to be what they claim before anything
is stored or sent.

All image bytes that come in pass `check_picture`. `PictureFolder` resolves the relative
paths of a catalogue and never leaves the folder that the catalogue lies in.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final

from PIL import Image, UnidentifiedImageError

from weighbridge.domain.products import Picture
from weighbridge.errors import UnreadableFile
from weighbridge.ingest.values.wording import quote
from weighbridge.jpeg_scans import DAMAGE_ERRORS, MAX_JPEG_SCANS, has_too_many_scans

MAX_PICTURE_BYTES: Final = 20_000_000
MAX_PIXELS: Final = 50_000_000
MAX_SIDE_PX: Final = 16_384
_MEDIA_TYPES: Final = {
    "JPEG": "image/jpeg",
    # several JPEGs in one file, as phones write them; the first is what everybody shows
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture file that was checked and whose bytes stay on disk until they are needed.

    The pictures of a catalogue may be more than fit into memory.
    """

    picture: Picture
    path: Path

    def read(self) -> bytes:
        """The bytes of the file; raises UnreadableFile if they are not the checked ones any
        more.
        """
        data = _read_bounded(self.path)
        if hashlib.sha256(data).hexdigest() != self.picture.sha256:
            raise UnreadableFile(
                f"The picture {quote(self.path.name)} changed while it was imported. Import again."
            )
        return data


class PictureFolder:
    """The folder of a catalogue, in which relative image paths are looked up.

    Remembers what it checked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._checked: dict[Path, PictureFile] = {}

    def find(self, relative: str) -> PictureFile:
        """The picture at this path. Raises UnreadableFile with what is wrong and the remedy."""
        path = self._resolve(relative)
        known = self._checked.get(path)
        if known is None:
            known = PictureFile(check_picture(_read_bounded(path)), path)
            self._checked[path] = known
        return known

    def _resolve(self, relative: str) -> Path:
        """The file at a relative path, links resolved.

        Raises:
            UnreadableFile: it is no file, is missing, or lies outside the folder.
        """
        # PureWindowsPath understands both slashes, drive letters and \\server\share on every
        # system.
        pure = PureWindowsPath(relative)
        if pure.drive or pure.root or ".." in pure.parts or "\0" in relative:
            raise UnreadableFile(
                "an image path must lead to a file in the folder of the catalogue or below it"
            )
        try:
            path = self._folder.joinpath(*pure.parts).resolve(strict=True)
            is_file = path.is_file()
        except (OSError, RuntimeError, ValueError):
            raise UnreadableFile(
                "there is no such picture beside the catalogue; check the path"
            ) from None
        if not path.is_relative_to(self._folder):
            raise UnreadableFile(
                "the image path is a link that leads out of the folder of the catalogue"
            )
        if not is_file:
            raise UnreadableFile("the image path does not name a file")
        return path


def check_picture(data: bytes) -> Picture:
    """The picture's hash, kind and size, read from its bytes.

    Raises UnreadableFile unless it is an undamaged still JPEG, PNG, WebP or GIF within the limits.
    """
    if len(data) >= MAX_PICTURE_BYTES:
        raise UnreadableFile(
            f"the picture is larger than {MAX_PICTURE_BYTES // 1_000_000} MB; use a smaller version"
        )
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF")) as image:
            kind, (width_px, height_px) = image.format or "", image.size
            animated = kind == "GIF" and bool(getattr(image, "is_animated", False))
    except UnidentifiedImageError:
        raise UnreadableFile(
            "the file is not a JPEG, PNG, WebP or GIF picture, whatever its name says"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableFile(_too_many_pixels()) from None
    except DAMAGE_ERRORS as error:
        raise UnreadableFile(f"the picture is damaged ({error}); export it again") from error
    if max(width_px, height_px) > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS:
        raise UnreadableFile(_too_many_pixels())
    if min(width_px, height_px) < 1:
        raise UnreadableFile("the picture is empty; export it again")
    if animated:
        raise UnreadableFile(
            "the picture is an animation, which no provider accepts; use a still picture"
        )
    _refuse_damage(data, kind)
    sha256 = hashlib.sha256(data).hexdigest()
    return Picture(sha256, _MEDIA_TYPES[kind], width_px, height_px, len(data))


def _refuse_damage(data: bytes, kind: str) -> None:
    """Raises UnreadableFile for a damaged picture, without decoding every pixel.

    A JPEG is decoded at an eighth of its resolution; of the other kinds Pillow checks what it can
    without decoding, such as the checksums of a PNG.
    """
    if kind in ("JPEG", "MPO") and has_too_many_scans(data):
        raise UnreadableFile(
            f"the JPEG has more than {MAX_JPEG_SCANS} scans, far more than any camera or program writes; save it again"
        )
    try:
        # Pillow opens MPO as a kind of JPEG and then calls it MPO.
        formats = ("JPEG",) if kind == "MPO" else (kind,)
        with Image.open(io.BytesIO(data), formats=formats) as image:
            if formats == ("JPEG",):
                image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
                image.load()
            else:
                image.verify()
    except DAMAGE_ERRORS as error:
        raise UnreadableFile(
            f"the picture is damaged or not complete ({error}); export it again"
        ) from error


def _too_many_pixels() -> str:
    return f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels or a side above {MAX_SIDE_PX:,}; use a smaller version"


def _read_bounded(path: Path) -> bytes:
    """The bytes of a file, at most one more than allowed, so that an endless file does no harm."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(f"the picture cannot be opened ({error.strerror or error})") from error
