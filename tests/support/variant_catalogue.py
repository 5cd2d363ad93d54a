"""A catalogue as shops keep them: designs in several languages, each in sizes and colours."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Language(NamedTuple):
    """Kinds with what they are made of and their weight in kg; how sizes and colours are said."""

    kinds: dict[str, tuple[str, float]]
    sizes: tuple[str, ...]
    colours: tuple[str, ...]


LINES: Final = (
    "Aurora", "Bergen", "Calypso", "Delphi", "Ember", "Fjord", "Galena", "Halden", "Isola", "Juno", "Kelso", "Lumen",
    "Marlow", "Nordic", "Ostia", "Pavia", "Quill", "Ravel", "Solway", "Tarn", "Umbra", "Velde", "Wick", "Xanthe", "Yarrow",
)  # fmt: skip

LANGUAGES: Final = (
    Language(
        {
            "T-shirt": ("Jersey, 100% organic cotton, crew neck.", 0.16),
            "Hoodie": ("Brushed fleece, 80% cotton and 20% polyester.", 0.52),
            "Running shoe": ("Mesh upper, foam sole, rubber tread.", 0.61),
            "Rain jacket": ("Three layers of recycled polyester, taped seams.", 0.44),
            "Backpack": ("Nylon with aluminium buckles.", 0.9),
            "Desk lamp": ("Steel base, aluminium arm, LED 6 W.", 1.4),
            "Water bottle": ("Stainless steel, double wall, polypropylene lid.", 0.35),
            "Bath towel": ("Terry cotton.", 0.5),
        },
        ("size S", "size M", "size XL"),
        ("navy blue", "black"),
    ),
    Language(
        {
            "Bürostuhl": ("Drehstuhl mit Netzrücken, Fußkreuz aus Aluminium.", 12.5),
            "Pullover": ("Strick aus reiner Schurwolle.", 0.45),
            "Kochtopf": ("Edelstahl 18/10 mit Glasdeckel.", 1.9),
            "Laufhose": ("Polyester mit Elasthan.", 0.2),
            "Wanderschuh": ("Rindleder mit Gummisohle.", 1.1),
            "Bettbezug": ("Baumwollsatin mit Reißverschluss.", 1.0),
            "Gartenschlauch": ("PVC mit Gewebe, Anschlüsse aus Messing.", 2.4),
            "Werkzeugkiste": ("Stahlblech, lackiert.", 3.2),
        },
        ("Größe M", "Größe L", "Größe XXL"),
        ("dunkelblau", "schwarz"),
    ),
    Language(
        {
            "Chaise": ("Coque en polypropylène, pieds en hêtre.", 4.2),
            "Robe": ("Lin et viscose.", 0.3),
            "Casserole": ("Fonte émaillée.", 3.6),
            "Sac à main": ("Cuir de vachette, doublure en coton.", 0.7),
            "Parapluie": ("Toile de polyester, baleines en fibre de verre.", 0.42),
        },
        ("taille S", "taille M", "taille XL"),
        ("rouge", "bleu foncé"),
    ),
    Language(
        {
            "Camisa": ("Tejido de algodón peinado.", 0.22),
            "Mochila": ("Poliéster reciclado con cremallera.", 0.8),
            "Sartén": ("Aluminio fundido, mango de baquelita.", 1.2),
            "Sandalia": ("Piel vacuna con suela de corcho.", 0.5),
        },
        ("talla S", "talla M", "talla XL"),
        ("negra", "azul"),
    ),
    Language(
        {
            "Maglia": ("Filato di lana merino.", 0.35),
            "Valigia": ("Guscio in policarbonato, ruote in poliuretano.", 3.1),
            "Scarpa": ("Tela di cotone e suola di gomma.", 0.7),
            "Coperta": ("Pile di poliestere.", 0.9),
        },
        ("taglia S", "taglia M", "taglia XL"),
        ("rossa", "grigia"),
    ),
    Language(
        {
            "Trui": ("Katoen, grof gebreid.", 0.4),
            "Fietstas": ("Gerecycled polyester met coating.", 1.3),
            "Stoel": ("Massief beuken, zitting multiplex.", 5.0),
            "Deken": ("Wol uit Nederland.", 1.6),
        },
        ("maat S", "maat M", "maat XL"),
        ("zwart", "donker groen"),
    ),
    Language(
        {
            "Kurtka": ("Nylon ocieplany puchem.", 0.7),
            "Kubek": ("Porcelana szkliwiona.", 0.35),
            "Plecak": ("Kordura z klamrami z aluminium.", 1.0),
            "Krzesło": ("Buk lity, siedzisko ze sklejki.", 5.5),
        },
        ("rozmiar S", "rozmiar M", "rozmiar XL"),
        ("czarny", "biały"),
    ),
    Language(
        {
            "Jakke": ("Vattert polyester.", 0.6),
            "Lampe": ("Pulverlakkert stål.", 2.0),
            "Teppe": ("Ren ny ull.", 1.4),
        },
        ("str S", "str M", "str XL"),
        ("svart", "rød"),
    ),
)  # fmt: skip


def catalogue(designs: int) -> Iterator[dict[str, Any]]:
    """Six articles of each design, which differ in size, weight and colour: column → value."""
    ways = (
        (language, kind, line)
        for line in LINES
        for language in LANGUAGES
        for kind in language.kinds
    )
    for number, (language, kind, line) in enumerate(islice(ways, designs)):
        text, weight_kg = language.kinds[kind]
        for place, (size, colour) in enumerate(product(language.sizes, language.colours)):
            code = f"{line[:3].upper()}-{number:04}-{place}"
            yield {
                "code": code,
                "name": f"{kind} {line}, {colour}, {size}",
                "description": f"{text} {code}",
                "weight_kg": round(weight_kg * (1 + 0.06 * (place // 2)), 4),
            }
