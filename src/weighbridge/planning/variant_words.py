"""The words by which `variants` recognises that products differ only in colour, size or count, and
the words beside which these must not be taken so.

A colour is given by its stem; in the languages that inflect, any of `ENDINGS` may follow it.
Colours that also name a substance (gold, oak, olive, cream, orange) are left out on purpose: of a
doubtful pair both products are asked.
"""

from __future__ import annotations

from typing import Final


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.casefold().split())


COLOUR_STEMS: Final = _words(
    # en
    "black white red blue green yellow grey gray brown pink purple violet beige turquoise navy "
    "teal magenta cyan",
    "maroon burgundy anthracite fuchsia lilac multicolour multicolor multicoloured multicolored khaki",
    # de
    "schwarz weiß weiss rot blau grün gruen gelb grau braun rosa pinkfarben lila violett türkis "
    "tuerkis anthrazit",
    "bordeaux dunkelblau hellblau dunkelgrün hellgrün dunkelgrau hellgrau dunkelrot marineblau bunt",
    # fr
    "noir blanc blanche rouge bleu vert jaune gris brun marron rose mauve écru kaki multicolore",
    # es, pt
    "negr blanc roj azul verde amarill morad rosad violet turquesa granate pret branc vermelh",
    "amarel cinza cinzent castanh rox marrom",
    # it
    "ner bianc ross blu giall grigi marron viola azzurr bordò",
    # nl
    "zwart wit rood blauw groen geel grijs bruin roze paars",
    # sv, da, no
    "svart vit röd blå grön gul grå rosa lila sort hvid rød grøn hvit brun",
    # pl, cs
    "czarn biał czerwon niebiesk zielon żółt szar brązow różow fioletow granatow černá černý bílá "
    "bílý červená",
    "červený modrá modrý zelená zelený žlutá žlutý šedá šedý hnědá hnědý",
    # ja, zh, ru, tr, fi, hu
    "黒 白 赤 青 緑 黄 黑 红 蓝 绿 灰 黑色 白色 红色 蓝色 绿色 灰色 粉色 黄色 черн бел красн син зелен желт сер коричнев",
    "siyah beyaz kırmızı mavi yeşil sarı gri musta valkoinen punainen sininen vihreä keltainen harmaa fekete fehér",
    "piros kék zöld sárga szürke",
)
ENDINGS: Final = _words(
    "e er es en em a o s as os y i ego ej ie t h he hes te tes ы ый ая ое ий яя ее",
) | {""}
SHADES: Final = _words(
    "light dark bright pale deep hell dunkel clair claire foncé foncée oscuro oscura claro clara "
    "escuro escura",
    "chiaro chiara scuro scura licht donker ljus mörk mørk lys jasny jasna ciemny ciemna marine matt matte",
)
COLOUR_LABELS: Final = _words(
    "color colour farbe couleur colore kleur cor kolor färg farve farge barva цвет renk väri szín "
    "色 颜色 カラー",
)
COLOUR_IS_THE_KIND: Final = _words(
    # Food and drink: red and white wine, green and black tea are different products.
    "tea tee thé té tè thee chai wine wein vin vino wijn vinho chocolate schokolade chocolat "
    "cioccolato chocolade",
    "rice reis riz arroz riso rijst bread brot pain pan pane brood pepper pfeffer poivre pimienta pepe sugar zucker",
    "sucre azúcar zucchero suiker flour mehl farine harina farina bean beans bohnen haricots onion onions zwiebeln",
    "cabbage kohl meat fleisch viande carne coffee kaffee café caffè koffie olive olives oliven grape grapes trauben",
    "vinegar essig vinaigre beer bier bière rum pudding sausage wurst cheese käse lentils linsen mustard sesame",
    "peas lentil garlic quinoa eggs potatoes tomatoes apples peppers radish algae miso pesto vermouth truffle truffles salt",
    "gin port ale wheat plums cherries berries snapper caviar salz sel sal sale zout erbsen eier kartoffeln äpfel birnen",
    "paprika tomaten knoblauch pommes poires œufs oeufs ail pois manzanas patatas huevos uvas mele uova uva appels eieren",
    "currant currants curry juice saft jus sauce tuna fish mushrooms asparagus spargel raisins",
    # The same in Scandinavian languages, Finnish, Polish, Czech, Russian, Turkish, Hungarian,
    # Greek, Romanian and Portuguese; what is sold by mass is known by its name (see `MASSES`).
    "viini víno wino вино вина şarap κρασί chá té feijão pimenta açúcar farinha azeitonas",
    "uvas cebola öl øl olut pivo piwo пиво bira sör cerveja birra cerveza eddike vinäger",
    "etikka ocet уксус sirke ecet vinagre aceto juice mehu sok сок suco succo zumo džus",
    "šťáva suc meyve saft sås sovs saus kastike sos соус omáčka szósz ägg egg æg munat jajka",
    "jaja vejce яйца yumurta tojás ouă ovos uova rødløg løk lök sipuli cebula cibule лук",
    "soğan kål kaali kapusta zelí капуста lahana káposzta varză couve vermut vermouth rom",
    "romu gin likier ликёр čaj чай çay herbata tea τσάι kahvi kaffe kawa káva кофе kahve",
    "kávé cafea chokolade suklaa czekolada čokoláda шоколад pippuri pieprz pepř перец biber",
    "bors peber peppar riisi ryż rýže рис pirinç rizs ris brød bröd leipä chleb chléb хлеб",
    "ekmek złoto guld gull kulta zlato золото altın arany aur ouro sement sementti cement",
    "цемент çimento papir papper paperi бумага kağıt papír szkło sklo стекло lasi üveg trä",
    "træ puu drewno dřevo дерево ahşap lemn madeira",
    # Substances: white and grey cement, bleached and brown paper, white and yellow gold.
    "gold oro goud cement zement ciment cemento paper papier papel carta cardboard karton carton "
    "board kraft brass",
    "bronze copper iron spirit oak walnut wood holz bois madera legno hout marble granite sand jade amber corundum carbon clay lead phosphorus",
    "pigment mud glass glas verre vidrio vetro",
)
"""In a text with one of these words a colour is part of what the product is (red wine), and does
not mark a variant.
"""

BEFORE_A_KIND: Final = _words("or")
"""A colour after this word does not mark a variant: "or" is French for gold."""

SIZES: Final = _words("xxs xs xl xxl xxxl xxxxl")
SHORT_SIZES: Final = _words(
    "s m l small medium large klein mittel groß petit moyen pequeño pequeña mediano mediana "
    "piccolo piccola",
)
"""Words that count as sizes only at the end of a phrase: each is also an ordinary word or letter.
"""
SIZE_LABELS: Final = _words(
    "size sizes größe groesse gr taille talla taglia maat tamanho rozmiar storlek størrelse "
    "velikost размер beden koko",
    "méret サイズ 尺码 尺寸",
)
SIZE_SYSTEMS: Final = _words("eu uk us fr it eur")
NOT_BEFORE_A_SIZE: Final = _words(
    "model modell modèle modelo modello type typ typo tipo class klasse classe series serie série "
    "version grade mark",
    "vitamin category cat gen generation",
)
WEARABLES: Final = _words(
    "shoe shoes boot boots sneaker sneakers sandal sandals trainer trainers loafer loafers "
    "slipper slippers schuh",
    "schuhe laufschuh stiefel sandale sandalen chaussure chaussures bottes basket baskets zapato zapatos zapatillas",
    "scarpa scarpe stivali schoen schoenen laarzen buty jeans trousers pants shirt tshirt jacket hose jacke hemd",
    "kleid pantalon chemise veste robe pantalón camisa chaqueta vestido pantaloni camicia giacca broek jas jurk",
    "dress skirt rock jupe falda gonna socks socken chaussettes coat mantel manteau glove gloves handschuhe",
)

COUNT_WORDS: Final = _words(
    "pack packs pcs pc pieces piece pieces count ct pk units unit stück stk stueck er teile "
    "pièces pièce pcs piezas",
    "unidades uds pezzi pz stuks stuk szt sztuk peças unid kpl st kusů ks шт adet tlg teilig pairs pair paar paires",
    "sheets blatt feuilles tablets capsules 枚 個 件 片 入",
)
PACK_WORDS: Final = _words(
    "pack set box case lot paquete confezione doos pak paket packung lote caja boîte zestaw "
    "förpackning pakke",
)
OF_WORDS: Final = _words("of von à de da di van mit con avec met z à")

MEASURES: Final = _words(
    "ml cl dl l ltr litre litres liter litros litri g gr kg gram grams gramm grammes gramos lb "
    "lbs oz cm mm m ft",
    "мл л г кг см мм м",
)
"""Units of content, mass and length.

Watts, volts, gigabytes and the like are left out: another value of these makes another product.
"""
MASSES: Final = _words("g gr kg gram grams gramm grammes gramos lb lbs oz г кг")
"""A product with one of these in its name is sold by mass, like tea, beans or pepper; its colour
often is part of what it is.
"""
LENGTHS: Final = _words("cm mm m ft см мм м")
SCREENS: Final = _words(
    "tv television televisions monitor monitors display displays screen screens laptop laptops "
    "notebook tablet",
    "fernseher bildschirm téléviseur écran televisor pantalla televisore schermo televisie beeldscherm telewizor",
    "smartphone phone led oled lcd qled projector",
)
"""In a text with one of these words a length is the size of a display, which does not mark a
variant: the parts of a display do not scale with the mass.
"""

RADIOS: Final = _words(
    "phone smartphone router modem tablet laptop notebook hotspot repeater lte telefon handy "
    "téléphone teléfono telefono",
    "telefoon watch smartwatch uhr antenna antenne sim",
)
"""In a text with one of these words "5 g" is a radio network, not a mass."""
