"""Products that only sound like variants of each other: every pair is two designs, and both must be
asked.

Each family is a text with a gap and the words that make another product of it; all pairs within a
family count.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILIES: Final[dict[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "material": (
        ("{} bottle, blue, 500 ml", ("Steel", "Glass", "Aluminium", "Titanium", "Copper", "Tritan")),
        ("Schneidebrett aus {}, 30 x 20 cm", ("Buche", "Bambus", "Eiche", "Kunststoff", "Schiefer")),
        ("Chaise Lyon en {}, noire", ("hêtre", "acier", "polypropylène", "rotin")),
        ("Pullover Oslo, {}, schwarz, Größe M", ("Wolle", "Baumwolle", "Kaschmir", "Acryl")),
        ("Table Turin, {}, 120 x 80 cm", ("oak", "walnut", "pine", "marble", "steel")),
        ("Anello Luce, {}, taglia 52", ("oro", "argento", "acciaio", "platino")),
        ("Jacket Rio, {}, black, XL", ("down", "polyester", "leather", "wool")),
        ("Maceta de {}, roja, 20 cm", ("barro", "plástico", "cemento", "acero")),
        ("Krzesło Gdańsk, {}, czarne", ("dąb", "sosna", "metal")),
        ("Frame, brushed {}, 30 x 40 cm", ("gold", "silver", "brass")),
    ),
    "composition": (
        ("T-shirt Rio, {} cotton, white, S", ("100%", "95%", "60%", "50%")),
        ("Milk {} fat, 1 l", ("0.1 %", "1.5 %", "3.5 %")),
        ("Edelstahl {} Topf, 3 l", ("18/10", "18/0")),
        ("Chocolate {} cocoa, 100 g", ("37 %", "70 %", "85 %")),
        ("Essig {} Säure, 1 l", ("5 %", "10 %", "25 %")),
        ("Ring Nova, {} gold, size 54", ("375", "585", "750")),
    ),
    "colour is the kind": (
        ("{} tea, 100 g", ("Black", "Green", "White")),
        ("{} wine, 0.75 l", ("Red", "White", "Rosé")),
        ("{} cement, 25 kg", ("White", "Grey")),
        ("{} rice, 1 kg", ("White", "Brown", "Red", "Black")),
        ("Ring, {} gold", ("white", "yellow", "rose")),
        ("{} pepper, ground, 50 g", ("Black", "White", "Green", "Pink")),
        ("{} bread, 500 g", ("White", "Brown", "Black")),
        ("{} beans, 400 g", ("White", "Red", "Black", "Green")),
        ("{} olives, 300 g", ("Green", "Black")),
        ("{} sugar, 1 kg", ("White", "Brown")),
        ("Vin {}, 75 cl", ("rouge", "blanc", "rosé")),
        ("Thé {}, 100 g", ("vert", "noir", "blanc")),
        ("{} Linsen, 500 g", ("Rote", "Grüne", "Schwarze", "Gelbe")),
        ("{} Zwiebeln, 1 kg", ("Rote", "Weiße", "Gelbe")),
        ("{}er Senf, 200 ml Essig", ("Weiß", "Schwarz", "Braun")),
        ("Bague or {}", ("jaune", "blanc", "rose")),
        ("{} spirit, 1 l", ("White", "Blue")),
        ("{} asparagus, 500 g", ("White", "Green")),
        ("{} chocolate, 100 g", ("Dark", "White")),
        ("{} grapes, 500 g", ("Red", "White", "Blue")),
        ("Vino {}, 0,75 l", ("rosso", "bianco")),
        ("{} cabbage, 1 kg", ("Red", "White")),
        ("{} peas, 500 g", ("Green", "Yellow")),
        ("{} pesto, 190 g", ("Green", "Red")),
        ("{} quinoa, 500 g", ("White", "Red", "Black")),
        ("{} vermouth, 0.75 l", ("Red", "White")),
        ("{} salt, 500 g", ("White", "Pink", "Black")),
        ("Pommes {}s, 1 kg", ("rouge", "verte", "jaune")),
        ("{} currants, 250 g", ("Red", "Black", "White")),
        ("Kraft paper, {}, 100 sheets", ("white", "brown")),
    ),
    "colour is the kind, in other languages": (
        ("Vinho {}, 75 cl", ("tinto", "branco", "rosé")),
        ("Chá {}, 100 g", ("verde", "preto", "branco")),
        ("Feijão {}, 1 kg", ("preto", "branco", "vermelho")),
        ("{} peper, 50 g", ("Witte", "Zwarte")),
        ("{} te, 100 g", ("Grönt", "Svart", "Vitt")),
        ("{} vin, 75 cl", ("Rött", "Vitt")),
        ("{} viini, 0,75 l", ("Punainen", "Valkoinen")),
        ("{} víno, 0,75 l", ("Bílé", "Červené")),
        ("{} čaj, 100 g", ("Zelený", "Černý", "Bílý")),
        ("Herbata {}, 100 g", ("zielona", "czarna", "biała")),
        ("Wino {}, 0,75 l", ("białe", "czerwone")),
        ("Chleb {}, 500 g", ("biały", "ciemny")),
        ("{} çay, 500 g", ("Siyah", "Yeşil", "Beyaz")),
        ("{} şarap, 75 cl", ("Kırmızı", "Beyaz")),
        ("{} вино, 0,75 л", ("Красное", "Белое")),
        ("{} чай, 100 г", ("Зелёный", "Чёрный", "Белый")),
        ("{} фасоль, 1 кг", ("Красная", "Белая")),
        ("{}ワイン 750ml", ("赤", "白")),
        ("{}茶 100g", ("绿", "红", "黑", "白")),
        ("Τσάι {}, 100 g", ("πράσινο", "μαύρο")),
    ),
    "building, workshop and clinic": (
        ("Cable 3 x {}, 10 m", ("1.5 mm²", "2.5 mm²", "4 mm²")),
        ("Sandpaper P{}, 50 sheets", ("80", "120", "240")),
        ("Mask {}, white, 20 pcs", ("FFP1", "FFP2", "FFP3")),
        ("Concrete {}, 25 kg", ("C20/25", "C30/37")),
        ("Beam {} 200, 6 m", ("IPE", "HEA", "HEB")),
        ("Fenster, weiß, {} verglast", ("zweifach", "dreifach")),
        ("Dämmplatte {}, 100 mm", ("WLG 032", "WLG 035", "WLG 040")),
        ("Gasket {}, black, 50 mm", ("NBR", "EPDM", "FKM", "PTFE")),
        ("Gloves, blue, {}, M, 100 pcs", ("nitrile", "latex", "vinyl")),
        ("Tyre {} R16, black", ("195/65", "205/55", "225/45")),
        ("Tasche, schwarz, {}", ("Echtleder", "Kunstleder", "Canvas")),
        ("Bolso, negro, {}", ("piel", "polipiel", "lona")),
        ("Стол, белый, {}", ("дуб", "сосна", "стекло")),
        ("椅子 {} 黑色", ("实木", "塑料", "不锈钢")),
        ("Židle, černá, {}", ("dřevo", "kov", "plast")),
    ),
    "power and electricity": (
        ("LED bulb E27, {}", ("4 W", "6 W", "9 W", "12 W")),
        ("Cordless drill, {}", ("12 V", "18 V", "36 V")),
        ("Power bank, black, {}", ("5000 mAh", "10000 mAh", "20000 mAh")),
        ("Kettle, red, {}", ("1500 W", "2200 W", "3000 W")),
        ("Charger, white, {}", ("5 A", "10 A", "20 A")),
        ("Generator, {}", ("2 kW", "5 kW", "10 kW")),
        ("Battery {}, pack of 4", ("AA", "AAA", "C", "D", "9V")),
        ("Solar panel {}", ("100 Wp", "200 Wp", "400 Wp")),
    ),
    "memory and displays": (
        ("USB stick, blue, {}", ("16 GB", "64 GB", "256 GB")),
        ("Laptop, grey, {} RAM", ("8 GB", "16 GB", "32 GB")),
        ("SSD, {}", ("500 GB", "1 TB", "2 TB")),
        ("TV, black, {}", ('43"', '55"', '65"')),
        ("Monitor, {}", ("60 cm", "70 cm", "80 cm")),
        ("Fernseher, schwarz, {}", ("108 cm", "139 cm", "165 cm")),
    ),
    "paper, dose and density": (
        ("Copy paper A4, 500 sheets, {}", ("80 g/m²", "120 g/m²", "160 g/m²")),
        ("Vitamin C tablets, {}", ("500 mg", "1000 mg")),
        ("Duvet cover, {}", ("80 g/m²", "135 g/m²")),
        ("Sleeping bag, black, {}", ("650 cuin", "800 cuin")),
        ("Tape, {} denier", ("20", "40", "60")),
    ),
    "models and types": (
        ("Router model {}", ("S", "L", "X", "M")),
        ("Printer type {}", ("A", "B", "L", "M")),
        ("Bracket {}", ("101", "102", "201", "1001")),
        ("Pump series {}", ("S", "M", "L")),
        ("Schraube {} verzinkt", ("M4", "M6", "M8")),
        ("Phone {}, black", ("12", "13", "14")),
        ("Vitamin {}, 100 tablets", ("C", "D", "E", "K")),
        ("Bearing {}", ("6203", "6204", "6205")),
        ("Filter class {}", ("S", "M", "L")),
        ("Chair {}, black", ("Rio", "Oslo", "Lima", "Kyoto")),
    ),
    "names that look like sizes and measures": (
        ("Running shoe Pegasus {}", ("39", "40", "41")),
        ("Sneaker Jordan {}", ("4", "11", "12")),
        ("Sneaker Max {}", ("90", "95", "97")),
        ("Jeans {} blue", ("501", "505", "511")),
        ("Smartphone Nova {}, black", ("4G", "5G")),
        ("Router Nova {}", ("4G", "5G")),
    ),
    "flavour and kind": (
        ("{} juice, 1 l", ("Orange", "Apple", "Grape", "Tomato")),
        ("{} milk, 1 l", ("Oat", "Soy", "Almond", "Cow")),
        ("{} honey, 500 g", ("Acacia", "Forest", "Lime")),
        ("{} shoe, black, 42", ("Running", "Safety", "Tennis")),
        ("{} lamp, white", ("Desk", "Floor", "Wall")),
        ("{} oil, 1 l", ("Olive", "Rapeseed", "Engine")),
        ("Farbe für {}, weiß, 2,5 l", ("Wände", "Holz", "Metall")),
        ("Soupe de {}, 1 l", ("légumes", "poisson", "tomates")),
    ),
    "with and without": (
        ("Mug, red, {} lid, 300 ml", ("with", "without")),
        ("Jacke, schwarz, {} Kapuze, L", ("mit", "ohne")),
        ("Lampe, blanche, {} ampoule", ("avec", "sans")),
        ("Yoghurt, {} sugar, 500 g", ("no", "with", "less")),
        ("Drill, {} battery", ("including", "excluding", "without")),
        ("Cola {}, 1 l", ("zero", "classic", "cherry")),
        ("T-shirt, white, {}", ("printed", "plain", "embroidered")),
        ("Milk, {}, 1 l", ("organic", "conventional")),
        ("Bottle, blue, {}, 500 ml", ("insulated", "single wall")),
        ("Jeans, blue, {} denim, 32/34", ("recycled", "stretch", "raw")),
    ),
    "part and whole": (
        ("Coffee machine{}", ("", " filter", " descaler", " spare part")),
        ("Bottle{}, blue", ("", " lid", " holder", " brush")),
        ("Bicycle{}, red", ("", " tyre", " saddle", " helmet")),
        ("Phone{}, black", ("", " case", " charger", " holder")),
        ("Printer{}", ("", " toner", " paper tray")),
    ),
    "what a set holds": (
        ("Tool set with {}", ("hammer", "saw", "hammer and saw")),
        ("Gift box, red, {}", ("soap", "tea lights", "socks")),
        ("Starter kit {}", ("home", "office", "garden")),
    ),
}  # fmt: skip


def near_misses() -> Iterator[tuple[str, str, str]]:
    """(family, one, other) of every pair."""
    for family, texts in FAMILIES.items():
        for text, words in texts:
            pairs = combinations(words, 2) if len(words) < 5 else pairwise(words)
            for one, other in pairs:
                yield family, text.format(one), text.format(other)
