"""Closed lists for tests: a small one that reads well, and one of the size of the real ones."""

from __future__ import annotations

from typing import Final

from weighbridge.domain.answers import MaterialTerm, ProcessTerm, Vocabulary

CATEGORIES: Final = {
    "Apparel": ("T-shirts & tops", "Trousers & jeans", "Other apparel"),
    "Furniture": ("Seating & chairs", "Tables & desks"),
    "Kitchen & household": ("Reusable bottles & flasks", "Cookware & bakeware"),
    "Consumer electronics": ("Smartphones", "Laptops"),
    "Lighting & electrical": ("Luminaires", "Cables & wiring"),
}

MATERIALS: Final = (
    # key, name, family, includes forming
    ("steel_sheet", "Steel, cold-rolled sheet", "steel", False),
    ("steel_fasteners", "Steel screws", "steel", True),
    ("stainless_304", "Stainless steel 304", "stainless", False),
    ("aluminium_primary", "Aluminium, primary ingot", "aluminium", False),
    ("copper_wire", "Copper wire", "copper", True),
    ("pp_resin", "Polypropylene resin", "plastic", False),
    ("pp_formed", "Polypropylene part including forming", "plastic", True),
    ("abs_resin", "ABS resin", "plastic", False),
    ("silicone_rubber", "Silicone rubber", "rubber", False),
    ("cotton_fibre", "Cotton fibre", "textile_fibre", False),
    ("cotton_knit_dyed", "Cotton knitted fabric, dyed", "textile_fabric", False),
    ("wood_sawn", "Sawn softwood", "wood", False),
    ("glass_container", "Container glass", "glass", False),
    ("circuit_board", "Circuit board, populated", "electronics", True),
    ("battery_liion", "Battery, lithium-ion", "battery", True),
    ("water", "Water", "chemical", False),
)

PROCESSES: Final = (
    ("injection_moulding", "Injection moulding", ("plastic", "rubber")),
    ("plastic_extrusion", "Extrusion of plastic", ("plastic",)),
    ("steel_deep_drawing", "Deep drawing, steel", ("steel", "stainless")),
    ("aluminium_extrusion", "Extrusion, aluminium", ("aluminium",)),
    ("aluminium_anodising", "Anodising, aluminium", ("aluminium",)),
    ("copper_wire_drawing", "Wire drawing, copper", ("copper",)),
    ("spinning", "Spinning", ("textile_fibre",)),
    ("knitting", "Knitting", ("textile_fibre", "textile_fabric")),
    ("dyeing", "Dyeing", ("textile_fibre", "textile_fabric")),
    ("wood_planing", "Planing", ("wood",)),
)


COUNTRIES: Final = {"DE": "Germany", "PT": "Portugal", "TR": "Turkey"}


def small_vocabulary() -> Vocabulary:
    """Five categories, sixteen materials, ten processes, three countries: the real words, few of
    them.
    """
    return Vocabulary(
        categories=CATEGORIES,
        materials={row[0]: MaterialTerm(*row) for row in MATERIALS},
        processes={
            key: ProcessTerm(key, name, frozenset(families)) for key, name, families in PROCESSES
        },
        countries=COUNTRIES,
    )


def generated_vocabulary(subcategories: int, materials: int, processes: int) -> Vocabulary:
    """Lists of any size, with names about as long as the real ones (25 characters)."""
    categories: dict[str, list[str]] = {}
    for number in range(subcategories):
        category = f"Category {number // 10:03d}"
        categories.setdefault(category, []).append(f"Subcategory number {number:06d}")
    return Vocabulary(
        categories=categories,
        materials={
            f"material_of_a_kind_{n:06d}": MaterialTerm(
                f"material_of_a_kind_{n:06d}", f"Material {n}", f"family_{n % 15}", n % 4 == 0
            )
            for n in range(materials)
        },
        processes={
            f"process_of_a_kind_{n:07d}": ProcessTerm(
                f"process_of_a_kind_{n:07d}", f"Process {n}", frozenset({f"family_{n % 15}"})
            )
            for n in range(processes)
        },
    )
