"""Countries of origin as people write them."""

from __future__ import annotations

import pytest

from weighbridge.ingest.values.countries import country_names, read_country


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("276", "DE"), ("Germany", "DE"), ("Deutschland", "DE"), ("Allemagne", "DE"),
        ("Niemcy", "DE"), ("Германия", "DE"), ("ドイツ", "DE"), ("德国", "DE"), ("독일", "DE"), ("NA", "NA"), ("Namibia", "NA"),
        ("UK", "GB"), ("England", "GB"), ("GB-ENG", "GB"), ("EL", "GR"), ("XK", "XK"), ("Kosovo", "XK"), ("Korea, Rep.", "KR"),
        ("South Korea", "KR"), ("Republic of Korea", "KR"), ("Korea, Dem. People's Rep.", "KP"), ("Türkiye", "TR"), ("Turkey", "TR"),
        ("Côte d’Ivoire", "CI"), ("Cote d'Ivoire", "CI"), ("Made in China", "CN"), ("Hergestellt in Italien", "IT"), ("China (PRC)", "CN"),
        ("P.R. China", "CN"), ("CN - China", "CN"), ("China (CN)", "CN"), ("CN;", "CN"), ("China ", "CN"), ("Shenzhen, China", "CN"),
        ("Hong Kong SAR", "HK"), ("Macao", "MO"), ("Taiwan, Province of China", "TW"), ("Czech Rep.", "CZ"), ("Tschechien", "CZ"),
        ("Viet Nam", "VN"), ("Lao PDR", "LA"), ("Macedonia", "MK"), ("Moldova, Republic of", "MD"), ("Bosnia and Herzegovina", "BA"),
        ("Democratic Republic of the Congo", "CD"), ("U.S.", "US"), ("USA", "US"), ("the Netherlands", "NL"), ("Great-Britain", "GB"),
        ("UAE", "AE"), ("Russian Federation", "RU"), ("Kyrgyz Republic", "KG"), ("Country of origin: India", "IN"),
        ("Rep. of Korea", "KR"), ("Dominican Rep.", "DO"), ("Rep. Checa", "CZ"), ("N. Macedonia", "MK"), ("S. Africa", "ZA"), ("St. Lucia", "LC"),
        ("Fabriqué au Portugal", "PT"), ("Wyprodukowano w Polsce", "PL"), ("Vyrobeno v Číně", "CN"), ("Сделано в Китае", "CN"), ("Origin - India", "IN"),
        ("中國製", "CN"), ("日本製", "JP"), ("中国产", "CN"), ("중국산", "CN"), ("China 100%", "CN"), ("100 % China", "CN"), ("China, Shenzhen", "CN"),
        ("🇩🇪", "DE"), ("Made in Italy 🇮🇹", "IT"), ("EE.UU.", "US"), ("EEUU", "US"), ("VS", "US"), ("Grande-Bretagne", "GB"), ("Assembled in Mexico", "MX"),
    ],
)  # fmt: skip
def test_a_country_is_known_however_it_is_written(cell: str, code: str) -> None:
    assert read_country(cell).code == code


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("EU", "not a single country"), ("RER", "not a single country"), ("GLO", "not a single country"), ("RoW", "not a single country"),
        ("Various", "not a single country"), ("World", "not a single country"), ("Made in EU", "not a single country"), ("Asia", "not a single country"),
        ("DE/PL", "several countries"), ("DE, PL", "several countries"), ("Germany and Poland", "several countries"), ("China / Vietnam", "several countries"),
        ("Georgia, USA", "several countries"), ("🇩🇪 France", "two-letter code"), ("New Mexico", "two-letter code"), ("Paris, Texas", "two-letter code"),
        ("Atlantis", "two-letter code"), ("0", "two-letter code"), ("#N/A", "spreadsheet error"), ("\\N", "stands for no value"), ("TBD", "stands for no value"),
    ],
)  # fmt: skip
def test_what_is_no_single_country_is_not_known_and_says_why(cell: str, words: str) -> None:
    origin = read_country(cell)
    assert origin.code is None
    assert words in (origin.problem or "")


@pytest.mark.parametrize("cell", ["", "-", "n/a", "unknown", "keine Angabe", "?"])
def test_not_known_is_no_fault(cell: str) -> None:
    assert read_country(cell) == read_country("")
    assert read_country(cell).problem is None


def test_every_official_code_means_itself() -> None:
    codes = set(country_names().values())
    assert len(codes) == 250  # the 249 of ISO 3166-1, and Kosovo
    assert all(read_country(code).code == code for code in codes)
