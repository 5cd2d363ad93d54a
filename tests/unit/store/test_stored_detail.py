"""Footprints outlive the program that wrote them: fields come and go, and what is stored can still
be read.
"""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest

from tests.support.carbon_builders import bill, footprint, material, process, table, worked
from weighbridge.domain import results
from weighbridge.domain.results import AnswerProvenance, Contribution, Provenance
from weighbridge.store import stored_detail
from weighbridge.store.rates import RATE_FIELDS, Rate
from weighbridge.store.stored_detail import StoredDetail, read_detail, write_detail

if TYPE_CHECKING:
    from types import ModuleType

AT = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
GIVEN = AnswerProvenance("1-abc", "openai", "gpt-4.1-mini", False, AT)
OTHER = AnswerProvenance("2-def", "openai", "gpt-4.1-nano", False, AT)
DETAIL = StoredDetail(
    footprint(
        table([material("steel"), material("glass")], [process("press")]),
        bill(("steel", 1.25), ("glass", 0.5)),
        worked(("press", "steel")),
    ),
    {"classification": {"category": "Furniture"}},
    Provenance("2", "a table", {"classification": GIVEN, "manufacturing": OTHER}),
)
AS_OF_SCHEMA_8 = ("rate", "label", "activity", "emissions_kg_co2e", "low_kg_co2e", "high_kg_co2e")


class Longer(NamedTuple):
    """A contribution as a later version of the program may have it."""

    kind: results.ContributionKind
    factor_key: str
    activity_unit: str
    factor: float
    source: str
    source_id: str
    year: str
    region: str
    licence: str
    is_proxy: bool
    label: str
    activity: float
    route: str = "bill of materials"
    emissions_kg_co2e: float = 0.0
    low_kg_co2e: float = 0.0
    high_kg_co2e: float = 0.0


@pytest.fixture
def later_version(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`stored_detail` of a program whose contributions have one field more, in the middle."""
    monkeypatch.setattr(results, "Contribution", Longer)
    spec = importlib.util.spec_from_file_location("later_stored_detail", stored_detail.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "later_stored_detail", module)
    spec.loader.exec_module(module)
    return module


def _stored(detail: StoredDetail = DETAIL) -> tuple[dict[str, Any], dict[int, Rate]]:
    """As it comes back from PostgreSQL."""
    rates: dict[int, Rate] = {}
    written: dict[str, Any] = orjson.loads(orjson.dumps(write_detail(detail, rates)))
    return written, rates


def test_a_footprint_comes_back_as_it_was() -> None:
    stored, rates = _stored()
    assert read_detail(stored, rates) == DETAIL


def test_programs_of_schema_8_find_each_value_in_its_place() -> None:
    stored, rates = _stored()
    assert tuple(stored["footprint"]["contribution_fields"]) == AS_OF_SCHEMA_8
    for one, written in zip(
        DETAIL.footprint.contributions, stored["footprint"]["contributions"], strict=True
    ):
        number, *own = written
        assert tuple(Contribution(*rates[number], *own)) == tuple(one)


def test_a_program_with_a_field_more_reads_what_was_stored_before(
    later_version: ModuleType,
) -> None:
    stored, rates = _stored()
    del stored["footprint"]["contribution_fields"]
    read = later_version.read_detail(stored, rates)
    assert {one.route for one in read.footprint.contributions} == {"bill of materials"}
    before = [one._asdict() for one in DETAIL.footprint.contributions]
    assert [_without_route(one) for one in read.footprint.contributions] == before


def test_this_program_reads_what_a_program_with_a_field_more_has_stored(
    later_version: ModuleType,
) -> None:
    stored, rates = _stored()
    later = later_version.read_detail(stored, rates)
    more: dict[int, Rate] = {}
    written = orjson.loads(orjson.dumps(later_version.write_detail(later, more)))
    assert "route" in written["footprint"]["contribution_fields"]
    assert read_detail(written, more) == DETAIL


def test_a_footprint_from_before_names_one_model_for_all_steps() -> None:
    stored, rates = _stored()
    provenance = stored["provenance"]
    del provenance["answers"]
    provenance["model"] = "gpt-4.1-mini"
    read = read_detail(stored, rates).provenance
    assert (read.model, read.provider, read.simulated) == ("gpt-4.1-mini", "openai", False)
    assert read.steps == {"classification": "1-abc", "manufacturing": "2-def"}
    assert {given.answered_at for given in read.answers.values()} == {None}


def test_every_field_of_a_contribution_is_in_the_rate_or_in_the_footprint() -> None:
    stored, _ = _stored()
    assert {*RATE_FIELDS, *stored["footprint"]["contribution_fields"]} == {
        "rate",
        *Contribution._fields,
    }


def test_provenance_of_several_models_names_each_step() -> None:
    provenance = DETAIL.provenance
    assert provenance.model == "classification: gpt-4.1-mini; manufacturing: gpt-4.1-nano"
    assert provenance.provider == "openai"


def _without_route(one: Longer) -> dict[str, Any]:
    fields = one._asdict()
    del fields["route"]
    return fields
