"""PACT files say what the trace says, in the form that the Technical Specifications prescribe."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.export.result_rows import completed, failed
from weighbridge.domain.recordings import RECORDED
from weighbridge.domain.results import picture_note, shown_in_part_reason
from weighbridge.errors import UnsupportedFormat
from weighbridge.export import checked_format, file_name, open_writer
from weighbridge.export.pact_2 import as_footprint_2
from weighbridge.export.pact_writer import Company, as_footprint
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.export.base import ResultRow

COMPANY = {
    "company_name": "Acme Ltd",
    "company_domain": "acme.example",
    "company_ids": "urn:lei:529900T8BM49AURSDO55, urn:pact:acme.example:supplier-id:7",
}
DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
# https://docs.carbon-transparency.org: what ProductFootprint and CarbonFootprint require
REQUIRED = {
    *("id", "specVersion", "created", "status", "companyName", "companyIds"),
    *("productDescription", "productIds", "productNameCompany", "pcf"),
}
REQUIRED_OF_PCF = {
    *("declaredUnitOfMeasurement", "declaredUnitAmount", "productMassPerDeclaredUnit"),
    *("referencePeriodStart", "referencePeriodEnd", "pcfExcludingBiogenicUptake"),
    *("pcfIncludingBiogenicUptake", "fossilGhgEmissions", "fossilCarbonContent"),
    *("ipccCharacterizationFactors", "crossSectoralStandards", "exemptedEmissionsPercent"),
}
DECIMALS = {
    *("declaredUnitAmount", "productMassPerDeclaredUnit", "pcfExcludingBiogenicUptake"),
    *("pcfIncludingBiogenicUptake", "fossilGhgEmissions", "fossilCarbonContent"),
    *("exemptedEmissionsPercent", "primaryDataShare"),
}


def company() -> Company:
    return Company.of(load_settings(**COMPANY))


def footprint(row: ResultRow) -> dict[str, Any]:
    assert row.completed_at is not None
    return as_footprint(row, company(), row.completed_at)


def test_everything_that_is_required_is_there_in_its_form() -> None:
    found = footprint(completed("PROD/001 ü"))
    assert found.keys() >= REQUIRED
    pcf = found["pcf"]
    assert pcf.keys() >= REQUIRED_OF_PCF
    assert all(DECIMAL.fullmatch(pcf[name]) for name in DECIMALS)
    assert found["productIds"] == ["urn:pact:acme.example:supplier-id:PROD%2F001%20%C3%BC"]
    assert found["companyIds"][0] == "urn:lei:529900T8BM49AURSDO55"
    assert len(found["companyIds"]) == 2
    start, end = (datetime.fromisoformat(pcf[f"referencePeriod{one}"]) for one in ("Start", "End"))
    assert start < end
    assert all(
        DECIMAL.fullmatch(rating) and 1 <= float(rating) <= 5 for rating in pcf["dqi"].values()
    )


def test_values_agree_with_the_trace() -> None:
    row = completed("A")
    found = footprint(row)
    pcf = found["pcf"]
    for name in ("pcfExcludingBiogenicUptake", "pcfIncludingBiogenicUptake", "fossilGhgEmissions"):
        assert float(pcf[name]) == row.emissions_kg_co2e
    assert float(pcf["productMassPerDeclaredUnit"]) == row.mass_kg
    assert {(one["name"], one["version"]) for one in pcf["secondaryEmissionFactorSources"]} == {
        (one.source, one.year) for one in row.contributions
    }
    assert f"{row.low_kg_co2e:.3g} to {row.high_kg_co2e:.3g} kg CO2e" in found["comment"]
    assert all(note.rstrip(".") in found["comment"] for note in row.notes)


def test_a_suppliers_figure_is_primary_data_and_a_computed_one_is_not() -> None:
    computed, own = completed("A"), replace(completed("A"), primary_data="supplier's figure")
    assert footprint(computed)["pcf"]["primaryDataShare"] == "0"
    assert footprint(own)["pcf"]["primaryDataShare"] == "100"
    assert "secondaryEmissionFactorSources" not in footprint(own)["pcf"]
    assert "The supplier's own figure" in footprint(own)["comment"]
    assert "Screening estimate" not in footprint(own)["comment"]


@pytest.mark.parametrize("emissions", [1e-7, 123456789.125, 1e22])
def test_decimals_have_no_exponent(emissions: float) -> None:
    written = footprint(replace(completed("A"), emissions_kg_co2e=emissions))["pcf"]
    assert DECIMAL.fullmatch(written["fossilGhgEmissions"])
    assert float(written["fossilGhgEmissions"]) == emissions


def test_another_figure_has_another_id_and_the_same_figure_the_same() -> None:
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    row = replace(completed("A"), completed_at=moment)
    assert footprint(row)["id"] == footprint(row)["id"]
    other = replace(row, emissions_kg_co2e=(row.emissions_kg_co2e or 0) + 1)
    assert footprint(row)["id"] != footprint(other)["id"]


def test_a_country_is_stated_only_where_it_is_known() -> None:
    known = footprint(replace(completed("A"), country_of_origin="DE"))
    unknown = footprint(replace(completed("A"), country_of_origin=None))
    assert known["pcf"]["geographyCountry"] == "DE"
    assert "geographyCountry" not in unknown["pcf"]


def test_products_without_a_figure_are_named_with_their_status_and_no_inside_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in COMPANY.items():
        monkeypatch.setenv(f"WEIGHBRIDGE_{name.upper()}", value)
    path = tmp_path / file_name("results", "pact")
    with open_writer("pact", path, []) as writer:
        writer.write([completed("A"), failed("B")])
        writer.write([completed("C")])
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "results.pact.json"
    assert [one["productNameCompany"] for one in document["data"]] == ["Chair", "Chair"]
    assert [one["code"] for one in document["withoutFootprint"]] == ["B"]
    assert document["withoutFootprint"][0]["reason"].endswith("the product's status is failed.")


def test_what_is_missing_of_the_company_is_named_before_anything_is_written() -> None:
    with pytest.raises(UnsupportedFormat, match=r"Set WEIGHBRIDGE_COMPANY_NAME, .*_IDS\."):
        checked_format("pact")
    with pytest.raises(UnsupportedFormat, match="'acme' is not a URN"):
        Company.of(load_settings(**{**COMPANY, "company_ids": "acme"}))
    with pytest.raises(UnsupportedFormat, match="'acme' is not a domain"):
        Company.of(load_settings(**{**COMPANY, "company_domain": "acme"}))


REQUIRED_OF_PCF_2 = {
    *("declaredUnit", "unitaryProductAmount", "referencePeriodStart", "referencePeriodEnd"),
    *("pCfExcludingBiogenic", "fossilGhgEmissions", "fossilCarbonContent"),
    *("biogenicCarbonContent", "characterizationFactors", "ipccCharacterizationFactorsSources"),
    *("crossSectoralStandardsUsed", "boundaryProcessesDescription", "exemptedEmissionsPercent"),
    *("exemptedEmissionsDescription", "packagingEmissionsIncluded"),
}


def test_version_2_is_for_a_kilogram_and_agrees_with_the_trace() -> None:
    row = completed("PROD/001 ü")
    assert row.completed_at is not None
    found = as_footprint_2(row, company(), row.completed_at)
    pcf = found["pcf"]
    assert found.keys() >= REQUIRED | {"version", "productCategoryCpc", "comment"}
    assert pcf.keys() >= REQUIRED_OF_PCF_2
    assert "dqi" not in pcf
    assert all(
        DECIMAL.fullmatch(pcf[name])
        for name in ("unitaryProductAmount", "pCfExcludingBiogenic", "fossilGhgEmissions")
    )
    whole = float(pcf["pCfExcludingBiogenic"]) * float(pcf["unitaryProductAmount"])
    assert whole == pytest.approx(row.emissions_kg_co2e)
    assert (pcf["declaredUnit"], pcf["primaryDataShare"]) == ("kilogram", 0)
    assert "Data quality, 1 (best) to 3: technological" in found["comment"]
    own = as_footprint_2(
        replace(row, primary_data="supplier's figure"), company(), row.completed_at
    )
    assert own["pcf"]["primaryDataShare"] == 100
    assert own["id"] != found["id"]


def test_version_2_is_written_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedFormat, match="WEIGHBRIDGE_COMPANY_NAME"):
        checked_format("pact2")
    for name, value in COMPANY.items():
        monkeypatch.setenv(f"WEIGHBRIDGE_{name.upper()}", value)
    path = tmp_path / file_name("results", "pact2")
    assert path.name == "results.pact2.json"
    with open_writer("pact2", path, ()) as writer:
        writer.write([completed("A"), failed("B")])
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [one["specVersion"] for one in document["data"]] == ["2.3.0"]
    assert [one["code"] for one in document["withoutFootprint"]] == ["B"]


@pytest.mark.parametrize("as_document", [as_footprint, as_footprint_2])
def test_a_figure_that_was_computed_anew_says_when(as_document: Any) -> None:
    row = completed("A")
    assert row.completed_at is not None
    later = replace(row, figure_since=row.completed_at + timedelta(days=3))
    first, second = (as_document(one, company(), row.completed_at) for one in (row, later))
    assert datetime.fromisoformat(first["created"]) == row.completed_at
    assert datetime.fromisoformat(second["created"]) == later.figure_since
    assert "updated" not in second


@pytest.mark.parametrize("as_document", [as_footprint, as_footprint_2])
@pytest.mark.parametrize("mark", ["simulated", "recorded"])
def test_a_suppliers_figure_is_primary_data_whoever_answered(as_document: Any, mark: str) -> None:
    row = completed("A")
    assert row.completed_at is not None
    assert row.provenance is not None
    changed = (
        {"simulated": True} if mark == "simulated" else {"simulated": False, "provider": RECORDED}
    )
    given = row.provenance.answers["classification"]
    answers = {"classification": replace(given, **changed)}
    marked = replace(row, provenance=replace(row.provenance, answers=answers))
    estimate = as_document(marked, company(), row.completed_at)
    assert "do not rely on this figure" in estimate["comment"]
    assert "split into fossil, land and biogenic emissions is unknown" in estimate["comment"]
    own = replace(marked, primary_data="supplier's figure")
    stated = as_document(own, company(), row.completed_at)
    assert float(stated["pcf"]["primaryDataShare"]) == 100
    assert "rely on" not in stated["comment"]
    assert mark.upper() in stated["comment"]


@pytest.mark.parametrize("as_document", [as_footprint, as_footprint_2])
@given(hours=st.integers(0, 1_000_000))
def test_the_reference_period_is_a_year_that_has_ended(as_document: Any, hours: int) -> None:
    moment = datetime(1999, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    pcf = as_document(completed("A"), company(), moment)["pcf"]
    start, end = (datetime.fromisoformat(pcf[f"referencePeriod{one}"]) for one in ("Start", "End"))
    # Receivers take a footprint for valid from the end of the period on.
    assert moment - timedelta(days=31) <= end <= moment
    assert (start.month, start.day, start.year) == (end.month, 1, end.year - 1)


@pytest.mark.parametrize("as_document", [as_footprint, as_footprint_2])
@pytest.mark.parametrize("pictures", [1, 3])
def test_no_receiver_learns_where_pictures_are_kept(as_document: Any, pictures: int) -> None:
    why = "http://shop.intern:8080/a.png: dam.intern (10.0.0.7) did not answer in time"
    lacking = shown_in_part_reason(pictures, [why]) if pictures > 1 else why
    row = replace(completed("A"), notes=(picture_note(lacking), "ratio 3:1 is kept"))
    comment = as_document(row, company(), row.completed_at)["comment"]
    assert "intern" not in comment
    assert "10.0.0.7" not in comment
    assert "answered with 2 of 3 pictures." in comment or "without the picture." in comment
    assert "ratio 3:1 is kept." in comment
