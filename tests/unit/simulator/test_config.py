"""Fault specifications: what they mean, and what is said about wrong ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import InputError
from weighbridge.simulator.config import (
    Fault,
    FaultPlan,
    SimulatorConfig,
    describe_faults,
    parse_faults,
)


def test_a_fault_specification_is_parsed() -> None:
    plan = parse_faults(" rate=0.02, error500=0.01 ,outage=120-180")
    assert plan.rates == {Fault.RATE: 0.02, Fault.ERROR500: 0.01}
    assert plan.outage_s == (120.0, 180.0)


def test_an_empty_specification_means_no_faults() -> None:
    assert parse_faults("") == FaultPlan()


@given(
    st.dictionaries(st.sampled_from(Fault), st.integers(0, 70).map(lambda n: n / 1000)),
    st.one_of(st.none(), st.tuples(st.integers(0, 100), st.integers(101, 900))),
)
def test_a_fault_plan_round_trips(
    rates: dict[Fault, float], outage_s: tuple[int, int] | None
) -> None:
    plan = FaultPlan(rates, outage_s)
    assert parse_faults(describe_faults(plan)) == plan


@pytest.mark.parametrize(
    ("specification", "complaint"),
    [
        ("rate", "'rate' has no value"),
        ("storm=0.1", "no fault 'storm'. The faults are: rate"),
        ("rate=often", "share of calls between 0 and 1; got 'often'"),
        ("rate=1.5", "between 0 and 1; got '1.5'"),
        ("rate=nan", "between 0 and 1"),
        ("rate=0.1,rate=0.2", "'rate' is given twice"),
        ("rate=0.6,drop=0.6", "add up to 1.2"),
        ("outage=180-120", "such as 120-180; got '180-120'"),
        ("outage=soon", "such as 120-180"),
        ("outage=1-2,outage=3-4", "given twice"),
    ],
)
def test_an_invalid_fault_specification_names_the_invalid_part(
    specification: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint.replace("(", r"\(")):
        parse_faults(specification)


@pytest.mark.parametrize(
    "values",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": -5},
        {"burst_s": 0.0},
        {"latency_s": -1.0},
        {"hang_s": float("inf")},
    ],
)
def test_an_invalid_configuration_is_refused_by_name(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(values))):
        SimulatorConfig(**values)  # type: ignore[arg-type]
