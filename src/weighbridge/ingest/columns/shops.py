"""Exports of shops, PIM and ERP systems, recognised by their headers: what their columns mean.

Pure data; what happens to the rows is in `ingest/shops/`. Sources: the public documentation of each
program's export, named with each entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from weighbridge.ingest.columns.fields import Field, normalise
from weighbridge.ingest.values.units import GRAM, MassUnit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.ingest.columns.headers import Header


@dataclass(frozen=True, slots=True)
class Shop:
    """One kind of export.

    `signs`: the normalised headers that give it away; all groups, any one of each. `fields`:
    headers that mean a field here, before the names that everybody uses. `ignored`: headers that
    mean nothing here, although elsewhere they would. `helpers`: further columns that its rows need.
    `grams`: headers whose weights are in grams. `name_describes`: where a product has no
    description, its title has to do.
    """

    name: str
    signs: tuple[tuple[str, ...], ...]
    fields: Mapping[Field, tuple[str, ...]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    helpers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grams: frozenset[str] = frozenset()
    name_describes: bool = True

    def unit_of(self, header: Header) -> MassUnit | None:
        """The unit of a weight by this program's rules, which win over what the header seems to
        say.
        """
        return GRAM if header.keys and header.keys[0] in self.grams else None

    def find_helpers(self, headers: Sequence[Header]) -> dict[str, int]:
        """Where the further columns are; absent ones are left out."""
        first = {
            header.keys[0]: i for i, header in reversed(list(enumerate(headers))) if header.keys
        }
        found: dict[str, int] = {}
        for name, keys in self.helpers.items():
            position = next((first[key] for key in keys if key in first), None)
            if position is not None:
                found[name] = position
        return found


def _options(*patterns: str) -> dict[str, tuple[str, ...]]:
    """Helpers option1_name, option1_value, …: `patterns` are pairs of header templates."""
    names, values = patterns[::2], patterns[1::2]
    found: dict[str, tuple[str, ...]] = {}
    for n in range(1, 4):
        found[f"option{n}_name"] = tuple(normalise(p.format(n)) for p in names)
        found[f"option{n}_value"] = tuple(normalise(p.format(n)) for p in values)
    return found


SHOPIFY: Final = Shop(  # https://help.shopify.com/en/manual/products/import-export/using-csv
    "Shopify",
    signs=(
        ("handle", "urlhandle"),
        ("variantsku", "variantgrams", "variantprice", "weightvaluegrams", "option1name"),
    ),
    fields={
        Field.CODE: ("variantsku", "sku"),
        Field.NAME: ("title",),
        Field.DESCRIPTION: ("bodyhtml", "description"),
        Field.WEIGHT: ("variantgrams", "weightvaluegrams"),
        Field.IMAGE: ("variantimage", "variantimageurl", "imagesrc", "productimageurl"),
        Field.PRICE: ("variantprice", "price"),
        Field.PARENT_CODE: ("handle", "urlhandle"),
    },
    # The unit column only says how the shop shows a weight; the weight itself is in grams.
    ignored=frozenset(
        {
            "variantweightunit",
            "weightunitfordisplay",
            "variantbarcode",
            "barcode",
            "costperitem",
            "type",
            "status",
        }
    ),
    helpers={
        **_options("option{} name", "option{} value"),
        "image_src": ("imagesrc", "productimageurl"),
        "image_position": ("imageposition",),
        "price": ("variantprice", "price"),
    },
    grams=frozenset({"variantgrams", "weightvaluegrams"}),
)
WOOCOMMERCE: Final = Shop(  # https://woocommerce.com/document/product-csv-importer-exporter/
    "WooCommerce",
    signs=(
        ("type",),
        ("sku",),
        ("shortdescription",),
        ("visibilityincatalog", "published", "isfeatured", "regularprice", "taxstatus"),
    ),
    fields={
        Field.CODE: ("sku",),
        Field.NAME: ("name",),
        Field.DESCRIPTION: ("description", "shortdescription"),
        Field.IMAGE: ("images",),
        Field.PRICE: ("regularprice",),
        Field.PARENT_CODE: ("parent",),
    },
    ignored=frozenset({"gtinupceanorisbn", "stock", "saleprice"}),
    helpers={
        "kind": ("type",),
        "id": ("id",),
        **_options("attribute {} name", "attribute {} value(s)"),
    },
)
# https://experienceleague.adobe.com/docs/commerce-admin/systems/data-transfer/data-attributes-
# product.html
MAGENTO: Final = Shop(
    "Magento / Adobe Commerce",
    signs=(
        ("sku",),
        ("storeviewcode", "attributesetcode", "store", "attributeset"),
        ("producttype", "type", "productwebsites", "websites"),
    ),
    fields={
        Field.CODE: ("sku",),
        Field.NAME: ("name",),
        Field.DESCRIPTION: ("description", "shortdescription"),
        Field.IMAGE: ("baseimage", "image"),
        Field.PRICE: ("price",),
        Field.COUNTRY: ("countryofmanufacture",),
    },
    ignored=frozenset(
        {
            "qty",
            "specialprice",
            "cost",
            "smallimage",
            "thumbnailimage",
            "thumbnail",
            "metatitle",
            "metadescription",
        }
    ),
    helpers={
        "view": ("storeviewcode", "store"),
        "kind": ("producttype", "type"),
        "variations": ("configurablevariations",),
        "attributes": ("additionalattributes",),
    },
)
AKENEO: Final = (
    Shop(  # https://help.akeneo.com/serenity-your-first-steps-with-akeneo/serenity-export-your-data
        "Akeneo",
        signs=(
            ("sku", "identifier", "uuid"),
            ("family",),
            ("categories", "enabled", "groups", "parent"),
        ),
        fields={Field.CODE: ("sku", "identifier", "uuid"), Field.PARENT_CODE: ("parent",)},
        ignored=frozenset({"family", "groups", "enabled"}),
    )
)
BIGCOMMERCE: Final = Shop(  # https://support.bigcommerce.com/s/article/Supported-Product-Fields
    "BigCommerce",
    signs=(
        ("item", "itemtype"),
        ("sku", "productcodesku"),
        ("options", "productid", "inventorytracking", "imageurlimport", "internalimageurlexport"),
    ),
    fields={
        Field.CODE: ("sku", "productcodesku"),
        Field.NAME: ("name", "productname"),
        Field.DESCRIPTION: ("description", "productdescription"),
        Field.WEIGHT: ("weight", "productweight"),
        Field.IMAGE: (
            "imageurlimport",
            "internalimageurlexport",
            "productimageurl1",
            "productimagefile1",
        ),
        Field.PRICE: ("price",),
        Field.VARIANT: ("options",),
    },
    ignored=frozenset(
        {
            "item",
            "itemtype",
            "id",
            "productid",
            "type",
            "producttype",
            "costprice",
            "retailprice",
            "saleprice",
        }
    ),
    helpers={
        "kind": ("item", "itemtype"),
        "id": ("id", "productid"),
        "image": ("imageurlimport", "internalimageurlexport"),
    },
)
ODOO: Final = (
    Shop(  # https://www.odoo.com/documentation/19.0/applications/essentials/export_import_data.html
        "Odoo",
        signs=(
            ("internalreference", "defaultcode"),
            (
                "salesdescription",
                "descriptionsale",
                "productvariantvalues",
                "salesprice",
                "listprice",
                "lstprice",
                "productcategory",
                "categid",
                "externalid",
                "unitofmeasure",
                "uomid",
                "producttype",
            ),
        ),
        fields={
            Field.CODE: ("internalreference", "defaultcode"),
            Field.NAME: ("name", "displayname"),
            Field.DESCRIPTION: (
                "salesdescription",
                "descriptionsale",
                "description",
                "internalnotes",
                "websitedescription",
            ),
            Field.VARIANT: ("productvariantvalues", "producttemplateattributevalueids"),
            Field.PRICE: ("salesprice", "listprice", "lstprice"),
            Field.IMAGE: ("imageurl",),
        },
        ignored=frozenset(
            {
                "cost",
                "standardprice",
                "image",
                "image1920",
                "image128",
                "quantityonhand",
                "qtyavailable",
                "id",
                "externalid",
            }
        ),
    )
)
SAP: Final = Shop(  # tables MARA, MAKT, MARC, MARM: https://help.sap.com
    "SAP",
    signs=(
        ("matnr", "material", "materialnumber", "materialnummer"),
        ("maktx", "materialdescription", "materialkurztext", "ntgew", "netweight", "nettogewicht"),
        ("mtart", "matkl", "meins", "gewei", "brgew", "werks", "spras", "ean11", "materialtype", "materialgroup", "baseunitofmeasure", "plant", "materialart", "warengruppe", "basismengeneinheit", "werk", "gewichtseinheit", "geweinh", "geh", "maktx", "materialkurztext"),
    ),
    fields={
        Field.CODE: ("matnr", "material", "materialnumber", "materialnummer"),
        Field.NAME: ("maktx", "materialdescription", "materialkurztext"),
        Field.DESCRIPTION: ("ltext", "longtext", "langtext", "basicdatatext", "grunddatentext", "tdline", "maktg"),
        Field.WEIGHT: ("ntgew", "netweight", "nettogewicht", "nettogew"),
        Field.GROSS_WEIGHT: ("brgew", "grossweight", "bruttogewicht", "bruttogew"),
        Field.WEIGHT_UNIT: ("gewei", "weightunit", "gewichtseinheit", "geweinh", "geh", "unitofweight"),
        Field.COUNTRY: ("herkl", "countryoforigin", "ursprungsland", "herkunftsland"),
        Field.MATERIALS: ("wrkst", "basicmaterial", "werkstoff"),
    },
    ignored=frozenset({"ean11", "meins", "mtart", "matkl", "werks"}),
    helpers={"language": ("spras", "language", "sprache"), "plant": ("werks", "plant", "werk")},
)  # fmt: skip

GOOGLE: Final = Shop(  # https://support.google.com/merchants/answer/7052112
    "Google Merchant Center",
    signs=(("id",), ("title",), ("imagelink",), ("link", "availability")),
    fields={
        Field.CODE: ("id",),
        Field.WEIGHT: ("productweight",),
        Field.GROSS_WEIGHT: ("shippingweight",),
        Field.PARENT_CODE: ("itemgroupid",),
    },
    ignored=frozenset({"gtin", "mpn", "saleprice", "additionalimagelink"}),
)

SHOPS: Final = (SHOPIFY, MAGENTO, WOOCOMMERCE, BIGCOMMERCE, AKENEO, ODOO, SAP, GOOGLE)


def recognise_shop(headers: Sequence[str]) -> Shop | None:
    """The program whose export has such headers, or None."""
    keys = {normalise(header) for header in headers}
    if not keys:
        return None
    # Akeneo writes `name-en_US`, `weight-unit`; the others are told by their signs alone.
    for shop in SHOPS:
        if all(keys & set(group) for group in shop.signs):
            return shop
    return None
