"""What people call the things that programs have names for."""

from __future__ import annotations

import pytest

from weighbridge.dashboard.names import (
    CAUSES,
    cause,
    country,
    fact,
    fact_value,
    field,
    file_kind,
    in_words,
)
from weighbridge.dashboard.pages.failures import REMEDIES
from weighbridge.domain.facts import ProductFacts
from weighbridge.ingest.columns.fields import Field


def test_every_field_of_a_file_reads_as_words() -> None:
    assert (field("countryOfOrigin"), field("imageUrl")) == ("Country of origin", "Picture")
    names = [field(one.value) for one in Field]
    assert names == [name.capitalize() for name in names]


def test_every_error_with_a_remedy_has_a_name_for_people() -> None:
    assert set(REMEDIES) <= set(CAUSES)
    assert cause("SomethingNew") == "Something new"


def test_a_country_has_its_name_and_an_unknown_code_stays() -> None:
    assert (country("CN"), country("XX?")) == ("China", "XX?")


def test_keys_in_a_sentence_read_as_names() -> None:
    said = in_words("deep_drawing cannot be applied to pp_resin.", {"pp_resin": "Polypropylene"})
    assert said == "deep_drawing cannot be applied to Polypropylene."


def test_kinds_of_files_are_written_as_their_makers_do() -> None:
    assert [file_kind(kind) for kind in ("xlsx", "csv", "jsonl", "parquet")] == [
        "XLSX",
        "CSV",
        "JSONL",
        "Parquet",
    ]


@pytest.mark.parametrize(
    ("facts", "written"),
    [
        (ProductFacts(recycled_share=0.3), "Recycled share: 30 %"),
        (ProductFacts(gross_weight_kg=1.25), "Gross weight: 1.25 kg"),
        (ProductFacts(weight_is_gross=True), "Weight with packaging: yes"),
        (ProductFacts(quantity=12_000), "Quantity a year: 12,000"),
        (ProductFacts(supplier="Ana & Co"), "Supplier: Ana & Co"),
    ],
)
def test_facts_of_the_catalogue_are_read_as_words(facts: ProductFacts, written: str) -> None:
    ((name, value),) = facts.as_stored().items()
    assert f"{fact(name)}: {fact_value(value, name)}" == written
