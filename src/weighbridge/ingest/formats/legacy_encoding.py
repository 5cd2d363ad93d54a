"""Which of the encodings before Unicode a file is in, and how sure that is.

Latin scripts share most of their bytes, so their code pages are told apart by whether the decoded
words look like words of a language that uses it. All other scripts are left to charset-normalizer.
If two encodings give the same text, either will do; if two fit equally well and give different
texts, the file is refused, because nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from charset_normalizer import from_bytes

from weighbridge.errors import UnreadableFile
from weighbridge.ingest.columns.meanings import count_known

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE_BYTES: Final = 1 << 17
_GOOD: Final = 0.9
"""The least fit at which an encoding is believed."""
_MARGIN: Final = 0.04
"""Two encodings whose fit differs by less than this are taken to fit equally well."""
_MOST_CHAOS: Final = 0.2
_LEAST_ASCII: Final = 0.5
"""If the words that are not all ASCII are in Latin script, at least this share of their letters is
ASCII.
"""
_TELLING: Final = 2
"""Number of known headers that show that an encoding is the right one, if the file has none in any
other likely encoding.
"""
_WESTERN: Final = (
    "äöüß", "àâæçéèêëîïôœùûÿ", "áéíóúñü", "àèéìíòóùú", "áâãàçéêíóôõúü", "åäöé", "æøåéè", "éëïóöüè", "áéíóúýðþæö", "äöüõšž",
)  # fmt: skip
_CENTRAL: Final = (
    "ąćęłńóśźż",
    "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž",
    "áéíóöőúüű",
    "ăâîșțşţ",
    "čćđšž",
    "äöüß",
)
_LATIN: Final = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1254": ("çğıöşüâîû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äöüõšž"),
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
    "mac_roman": _WESTERN,
}
"""Code page → the letters beyond ASCII of each language that is written in it.

The commonest page comes first.
"""
_OTHERS: Final = (
    "gb18030", "big5", "cp932", "euc_jis_2004", "cp949", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256",
)  # fmt: skip
SHOWN: Final = {
    "cp1252": "Windows-1252", "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1253": "Windows-1253", "cp1254": "Windows-1254",
    "cp1257": "Windows-1257", "gb18030": "GB18030 (GBK)", "big5": "Big5", "cp932": "Shift-JIS", "cp949": "EUC-KR", "koi8_r": "KOI8-R",
    "cp850": "DOS 850", "cp852": "DOS 852", "mac_roman": "Mac Roman", "euc_jis_2004": "EUC-JP",
}  # fmt: skip
_LETTER_MARKS: Final = frozenset("’‘“”„«»–—€°²³µ·•…®™©×½¼¾§ ´¡¿ªº")


@dataclass(frozen=True, slots=True)
class Guess:
    """A codec, how well it fits (0 to 1), and the sample decoded with it."""

    codec: str
    fit: float
    text: str


def guess_encoding(path: Path) -> Guess:
    """The encoding of a file that is not UTF-8.

    Raises:
        UnreadableFile: none fits, or two fit equally well and say different things.
    """
    sample = _lines_beyond_ascii(path)
    if (told := _only_one_with_known_headers(sample)) is not None:
        return told
    latin = sorted((_fit_of_latin(sample, codec) for codec in _LATIN), key=lambda one: -one.fit)
    if latin[0].fit >= _GOOD:
        # Western Windows files are by far the commonest: what fits as well by chance alone does not
        # raise a doubt.
        return latin[0] if latin[0].codec == "cp1252" else _best_without_rival(latin)
    mixed = sorted(
        (_fit_of_latin(sample, codec, mixed=True) for codec in _LATIN), key=lambda one: -one.fit
    )
    if mixed[0].fit >= _GOOD and _has_latin_words(mixed[0].text):
        # A German shop has suppliers in Porto and Lyon: no one language has all these letters.
        return mixed[0] if mixed[0].codec == "cp1252" else _best_without_rival(mixed)
    others = [
        Guess(match.encoding, 1.0 - match.chaos, str(match))
        for match in from_bytes(sample, threshold=_MOST_CHAOS, cp_isolation=list(_OTHERS))
    ]
    return _best_without_rival(sorted(others, key=lambda one: -one.fit))


def _best_without_rival(guesses: list[Guess]) -> Guess:
    """The best guess (`guesses` come best first), if nothing else fits nearly as well.

    Raises:
        UnreadableFile: there is no guess, or rivals read the text differently and no known header
            decides between them.
    """
    if not guesses:
        raise UnreadableFile(
            "The text is in no encoding that is known here. Save the file as UTF-8, or say how it "
            "is encoded (--encoding)."
        )
    best = guesses[0]
    rivals = [one for one in guesses[1:] if one.text != best.text and best.fit - one.fit < _MARGIN]
    known = sorted(
        [(_count_known_headers(one.text), one) for one in (best, *rivals)],
        key=lambda pair: -pair[0],
    )
    if rivals and known[0][0] >= _TELLING and known[1][0] == 0:
        return known[0][1]  # Only in this encoding does the file have headers that are known.
    if rivals:
        names = " or ".join(
            dict.fromkeys(SHOWN.get(one.codec, one.codec) for one in (best, *rivals[:2]))
        )
        raise UnreadableFile(
            f"The encoding is in doubt: it may be {names}, which give different texts. Save the "
            "file as UTF-8, or say which it is (--encoding)."
        )
    return best


def _only_one_with_known_headers(sample: bytes) -> Guess | None:
    """The only encoding in which the first line has known headers; None if none or several do."""
    found: dict[str, tuple[int, Guess]] = {}
    for codec in (*_LATIN, *_OTHERS):
        text = sample.decode(codec, errors="replace")
        fit = 1 - text.count("\ufffd") / len(text)
        header = text.split("\n", 1)[0]
        if fit >= _GOOD and "\ufffd" not in header:
            found.setdefault(header, (_count_known_headers(text), Guess(codec, fit, text)))
    ranked = sorted(found.values(), key=lambda pair: -pair[0])
    if len(ranked) < 2 or ranked[0][0] < _TELLING or ranked[1][0] > 0:
        return None
    return ranked[0][1]


def _count_known_headers(text: str) -> int:
    """How many known fields the first line names, split at any separator."""
    return count_known(re.split(r"[,;\t|^]", text.split("\n", 1)[0]))


def _lines_beyond_ascii(path: Path) -> bytes:
    """The first lines of a file that are not all ASCII, about SAMPLE_BYTES of them.

    The others say nothing about the encoding.
    """
    found = bytearray()
    with path.open("rb") as file:
        while len(found) < SAMPLE_BYTES and (line := file.readline(SAMPLE_BYTES)):
            if not line.isascii():
                found += line
    return bytes(found)


_WORD: Final = re.compile(r"[^\W\d_¹²³]+")
_SIGN_IN_A_WORD: Final = re.compile(
    r"(?<=[^\W\d_])[^\x00-\x7f\w\s’‘´](?=[^\W\d_])"
    r"|(?<=[^\W\d_mM])[¹²³](?=[a-zà-ÿ])"  # "krzes³o" is Polish in Windows-1252; "kWh/m²a" is none
)


def _has_latin_words(text: str) -> bool:
    """Whether letters beyond ASCII stand among ASCII letters, as they do in Latin script only.

    Words of other scripts, decoded by a code page of Latin letters, have hardly any.
    """
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    letters = "".join(words)
    return sum(map(str.isascii, letters)) >= _LEAST_ASCII * len(letters)


def _fit_of_latin(sample: bytes, codec: str, *, mixed: bool = False) -> Guess:
    """The sample decoded with a codec, and the share of characters beyond ASCII that make sense.

    They do if they are letters of one of the code page's languages; `mixed`: of any of them. Words
    that no language has (a capital after small letters) and signs inside words count against it.
    """
    try:
        text = sample.decode(codec)
    except UnicodeDecodeError:
        return Guess(codec, 0.0, "")
    beyond = [c for c in text if not c.isascii()]
    if not beyond:
        return Guess(codec, 0.0, text)
    languages = ("".join(_LATIN[codec]),) if mixed else _LATIN[codec]
    good = max(
        sum(c.lower() in letters or c in _LETTER_MARKS for c in beyond) for letters in languages
    )
    odd = sum(_is_no_word(word) for word in _WORD.findall(text) if not word.isascii())
    inside = len(_SIGN_IN_A_WORD.findall(text))
    return Guess(codec, max(0.0, (good - odd - inside) / len(beyond)), text)


def _is_no_word(word: str) -> bool:
    """Whether a word has a capital after small letters, or four accented letters in a row.

    No language in Latin script has such words, but there are some with three (żółty, šíře).
    """
    tail = word[1:]
    mixed = any(c.isupper() for c in tail) and any(c.islower() for c in word)
    return mixed or re.search(r"[^\x00-\x7f]{4}", word) is not None
