"""Columns of further pictures, beside the one that holds the first: "Image 2", "Product Image URL -
3", "additional_image_link", "Galerie".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PICTURE: Final = (
    "image|img|picture|pic|photo|bild|bilder|foto|fotos|imagen|imagenes|immagine|immagini|imagem|imagens"
    "|afbeelding|afbeeldingen|zdjecie|zdjecia|obrazek|obrazky|billede|bilde|kuva|resim|gorsel|kep|imagine"
    "|изображение|картинка|фото|图片|圖片|画像|이미지|사진"
)
_LINK: Final = "(?:urls?|links?|src|paths?|pfade?|chemins?|files?|href|datei|adresse)?"
_NUMBERED: Final = re.compile(
    rf"(?P<stem>(?:product|produkt|item|article|artikel|variant|main)?(?:{_PICTURE})s?{_LINK})"
    rf"0*(?P<number>[2-9]|1[0-9]|20)(?P<end>{_LINK})"
)
_MORE: Final = re.compile(
    "(?:additional|more|other|extra|alternat(?:e|ive)|further|secondary|gallery|weitere|zusatz|zusatzliche"
    rf"|autres|otras|altre|outras|andere|dodatkowe|dalsi)(?:product|produkt)?(?:{_PICTURE})(?:s|n|er|en)?{_LINK}"
    rf"|(?:{_PICTURE})s?(?:supplementaires|additionnelles|adicionales|aggiuntive|adicionais){_LINK}"
    rf"|(?:image|picture|photo|media|product|bilder|foto)?(?:gallery|galerie|galeria|galleria){_LINK}"
    "|дополнительныеизображения|附图|其他图片|追加画像|추가이미지"
)


def further_pictures(headers: Sequence[str], first: int, taken: Iterable[int]) -> tuple[int, ...]:
    """The positions of the columns with further pictures, in order; `first` has the first picture.

    `taken` are columns of other fields. Of several numbered series ("Image 2", "Image URL 2"), the
    one named like the first column is used.
    """
    used = {first, *taken}
    numbered: list[tuple[str, int, int]] = []
    more: list[int] = []
    for position, header in enumerate(headers):
        if position in used:
            continue
        key = normalise(header)
        if found := _NUMBERED.fullmatch(key):
            stem = found["stem"] + (found["end"] or "")
            numbered.append((stem, int(found["number"]), position))
        elif _MORE.fullmatch(key):
            more.append(position)
    own = re.sub(r"\d+", "", normalise(headers[first]))
    alike = [one for one in numbered if one[0] == own]
    in_order = sorted(alike or numbered, key=lambda one: (one[1], one[2]))
    return (*(position for *_, position in in_order), *more)
