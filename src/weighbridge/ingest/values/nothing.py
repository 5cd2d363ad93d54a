"""What people and programs write into a cell when they have nothing to say.

Words of people ("n/a", "unknown", a dash) are passed over. What a program left behind (a
spreadsheet's error, a null of a database) is passed over too, with a note: behind it there may be a
value that got lost on the way.
"""

from __future__ import annotations

from typing import Final

from weighbridge.ingest.values.wording import quote

NOT_KNOWN: Final = frozenset(
    {
        "", "-", "--", "---", "–", "—", "―", "?", "??", "???", ".", "/", "n/a", "na", "n.a.", "n.a", "unknown", "not known",
        "k.a.", "k. a.", "keine angabe", "unbekannt", "nd", "n.d.", "n/d", "inconnu", "desconocido", "sconosciuto",
        "onbekend", "nieznany", "neznámo", "okänd", "bilinmiyor", "desconhecido", "нет", "н/д", "неизвестно", "不明",
        "未知", "无", "無", "なし", "없음", "not available", "not applicable", "nicht bekannt", "keine angaben", "ohne angabe",
        "nicht verfügbar", "non renseigné", "non renseignée", "non disponible", "sans objet", "sin dato", "sin datos", "no disponible",
        "s/d", "non disponibile", "n.v.t.", "nvt", "niet bekend", "brak", "brak danych", "b/d", "neuvedeno", "ej angivet", "ikke oppgitt",
        "ikke oplyst", "не указано", "не указан", "нет данных", "б/н", "暂无", "不详", "未定", "미정", "belirtilmemiş", "not specified",
        "unspecified", "not stated", "não informado", "nem ismert", "δ/υ",
    }
)  # fmt: skip
"""What people write for no value, in lower case. In a column of countries "na" is Namibia."""

SPREADSHEET_ERRORS: Final = frozenset(
    {
        "#n/a", "#n/a n/a", "#na", "#nv", "#value!", "#wert!", "#valeur!", "#valor!", "#¡valor!", "#valore!", "#ref!", "#¡ref!",
        "#bezug!", "#rif!", "#div/0!", "#¡div/0!", "#name?", "#¿nombre?", "#nom?", "#nome?", "#num!", "#¡num!", "#zahl!",
        "#nombre!", "#null!", "#¡nulo!", "#nul!", "#nulo!", "#spill!", "#überlauf!", "#calc!", "#kalk!", "#field!", "#feld!",
        "#getting_data", "#daten_abrufen", "#blocked!", "#unknown!", "#connect!", "#busy!", "#error!", "#н/д", "#знач!",
        "#ссылка!", "#дел/0!", "#имя?", "#число!", "#пусто!", "#verw!", "#waarde!", "#naam?", "#getal!", "#arg!", "#adr!",
        "#nazwa?", "#liczba!", "#n/d", "#nd",
    }
)  # fmt: skip
"""Error values in the languages of Excel and LibreOffice, in lower case."""

DUMPED_NULLS: Final = frozenset(
    {"\\n", "(null)", "<na>", "<null>", "[null]", "{null}", "(none)", "(empty)", "(blank)"}
)
"""What databases and data frames write for no value, in lower case. Only forms that are no word of
any language: "none" may be a name.
"""

_WORDS_OF_PROGRAMS: Final = frozenset(
    {"null", "nil", "none", "nan", "nat", "undefined", "[]", "{}", "tbd", "tba", "tbc", "todo", "x", "xx", "xxx", "0000-00-00"}
)  # fmt: skip


LONGEST_VALUE: Final = 200
"""The most characters of a number, unit or country; a longer cell may be meant to slow us down."""


def no_value_note(cell: str) -> str | None:
    """The note for a cell that holds no number, unit or name: too long a text, or a placeholder.

    None if the cell may hold a value; "" if it is empty or says that nothing is known.
    """
    if len(cell) > LONGEST_VALUE:
        return (
            f"{quote(cell)} has {len(cell):,} characters, more than {LONGEST_VALUE}; write the value "
            "alone"
        )
    return placeholder_note(cell)


def placeholder_note(cell: str) -> str | None:
    """The note for a cell that holds a placeholder instead of a value.

    None if the cell holds a value. "" if it is empty or says that nothing is known (N/A): that
    needs no note.
    """
    word = cell.strip().casefold()
    if word in NOT_KNOWN:
        return ""
    if word in SPREADSHEET_ERRORS:
        return f"{quote(cell)} is a spreadsheet error; correct its formula, or leave the cell empty"
    if word in DUMPED_NULLS or word in _WORDS_OF_PROGRAMS:
        return f"{quote(cell)} stands for no value; write the value, or leave the cell empty"
    return None
