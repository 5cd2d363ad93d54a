"""Units of mass, and how people and programs name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class MassUnit:
    """A unit of mass: a value in it times `kg_multiplier`, divided by `kg_divisor`, is in kg.

    Metric units below the kilogram have a divisor because dividing by 1000 rounds correctly;
    multiplying by 0.001 does not.
    """

    name: str
    kg_multiplier: float = 1.0
    kg_divisor: float = 1.0

    def to_kg(self, value: float) -> float:
        """The value in kilograms."""
        return value * self.kg_multiplier / self.kg_divisor


KILOGRAM: Final = MassUnit("kg")
GRAM: Final = MassUnit("g", kg_divisor=1000.0)
HECTOGRAM: Final = MassUnit("hg", kg_divisor=10.0)
DECAGRAM: Final = MassUnit("dag", kg_divisor=100.0)
MILLIGRAM: Final = MassUnit("mg", kg_divisor=1_000_000.0)
TONNE: Final = MassUnit("t", kg_multiplier=1000.0)
POUND: Final = MassUnit("lb", kg_multiplier=0.45359237)
OUNCE: Final = MassUnit("oz", kg_multiplier=0.028349523125)
STONE: Final = MassUnit("st", kg_multiplier=6.35029318)
_JIN: Final = MassUnit("斤", kg_divisor=2.0)

_NAMES: Final = {
    KILOGRAM: """
        kg kgs kilo kilos kilogram kilograms kilogramm kilogramme kilogrammes kgm kgr kilogramo kilogramos kilogrammo
        kilogrammi chilo chili chilogrammo chilogrammi quilo quilos quilograma quilogramas kilograma kilogramy kilogramow kilogramów kila
        kilogramu kilogramu kilogramov kilogrammen kilogrammaa kilogramma kilogrammia кг килограмм килограмма килограммов
        килограммы кілограм кілограмів 千克 公斤 キログラム キロ 킬로그램 kilogramas килограм килограма χιλιόγραμμα κιλά
        كجم كغ كغم กก กิโลกรัม קג किलोग्राम किग्रा kilogramm kilogrammi κιλο κιλά kílógramm
    """,
    GRAM: """
        g gr grs grms gm gms grm gram grams gramm gramme grammes gramo gramos grammo grammi grama gramas gramy gramow gramów gramu
        gramov gramů grammaa gramma grammen grammi г гр грамм грамма граммов граммы грам грамів 克 公克 グラム 그램 γρ γραμμάρια
        جم غ غرام جرام กรัม גרם ग्राम gam
    """,
    HECTOGRAM: "hg hectogram hectograms hectogramme hektogram etto etti",
    DECAGRAM: "dag dkg deka decagram decagrams dekagram dekagramm dekagramy dekagramów",
    MILLIGRAM: """
        mg mgs mgm milligram milligrams milligramm milligramme milligrammes miligramo miligramos milligrammo milligrammi
        miligrama miligramas miligram miligramy мг миллиграмм миллиграммов 毫克 ミリグラム 밀리그램
    """,
    TONNE: "t to tne tonne tonnes tonnen tonelada toneladas tonnellata tonnellate т тонна тонн тонны тонны 吨 噸 公吨 トン 톤",
    POUND: "lb lbs lbm funt funty funtów фунт фунта фунтов pound pounds lbr libra libras libbra libbre 磅 ポンド 파운드",
    OUNCE: "oz ozs uncja uncje uncji унция ounce ounces onz onza onzas once onces oncia oncie onça onças unze unzen унция унции унций 盎司 オンス 온스",
    STONE: "stone stones",
    _JIN: "斤 市斤",
}  # fmt: skip

UNIT_NAMES: Final[Mapping[str, MassUnit]] = {
    name: unit for unit, names in _NAMES.items() for name in names.split()
}
"""Names of units of mass in many languages, and UN/ECE codes, in lower case. Left out is what means
several things: "ton" (1000, 907 or 1016 kg), "Pfund" and "livre" (500 or 454 g), "st" (stones or
pieces).
"""

_OF_SALE: Final = """
    pc pcs pce piece pieces ea each unit units item items set sets pair pairs pr box boxes bx case cs carton ctn pack packs
    pk pkg pallet pal roll rolls bag bags can bottle dozen dz dzn m m2 m² m3 m³ cm mm l lt ltr ml st stk stck stück stuck
    paar karton packung pkt pièce pièces pce unité paire boîte pieza piezas ud uds unidad par caja pezzo pezzi pz paio
    scatola peça peças un stuk stuks doos szt sztuka para ks kus pár kpl par adet çift kutu шт пара упак уп 个 件 只 双 套 盒 箱
    個 本 枚 足 개 켤레 c62 h87 nar pr
"""
UNITS_OF_SALE: Final = frozenset(_OF_SALE.split())
"""Units in which a product is counted or measured for sale; they say nothing about its weight."""

HEADER_UNITS: Final[Mapping[str, MassUnit]] = {
    name: unit for name, unit in UNIT_NAMES.items() if name not in {"to", "once"}
}
"""Names that mean a unit of mass in a header too; "to", in "weight to ship", is not the tonne."""
