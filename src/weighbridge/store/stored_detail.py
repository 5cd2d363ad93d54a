"""The JSON of a footprint, `footprints.detail`: written and read here and nowhere else. Everything
in it has a name.

    {"footprint": {…the fields of Footprint…,
                   "contribution_fields": ["rate", "label", "activity", …],
                   "contributions": [[-2316, "Polypropylene", 1.25, …], …]},
     "answers": {step: the stored form of its answer, as corrected}, "model_answers": {step: the
     model's own answer, where it is corrected}, "provenance": {"method", "factors", "steps": {step:
     version}, "answers": [{"step", "provider", "model", …}, …],
                    "provider", "model", "simulated"},
     "cause": {"kind", "by", "reason", "targets"}, absent where the queue made it}

The names of a contribution's fields stand once for each footprint (decision 0022): a reader finds
each value by its name, in SQL through the function `named_contributions(detail)`.

**To add a field** to `Contribution`, `Footprint` or `AnswerProvenance`, give it a default there: it
is written by itself, and footprints from before read with the default. Fields that a reader does
not know are passed over. A program of schema 8 takes no contribution with more fields than it
knows: the first change that adds one comes with a migration that serves programs from schema 9 on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from weighbridge.domain.history import PROCESSED, Cause
from weighbridge.domain.results import AnswerProvenance, Contribution, Footprint, Provenance
from weighbridge.domain.supplier_figure import with_supplier_route, without_supplier_route
from weighbridge.store.rates import RATE_FIELDS, Rate, number_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.domain.answers import StepName

RATE: Final = "rate"
"""Name of the field of a contribution that holds the number of its rate."""
UNNAMED_FIELDS: Final = (
    RATE,
    "label",
    "activity",
    "emissions_kg_co2e",
    "low_kg_co2e",
    "high_kg_co2e",
)
"""The fields of a contribution, in their order, in footprints from before schema 9, which do not
name them.
"""

_OWN_FIELDS: Final = tuple(name for name in Contribution._fields if name not in RATE_FIELDS)
_own_values: Final = attrgetter(*_OWN_FIELDS)
_GIVEN_FIELDS: Final = tuple(
    one.name for one in fields(AnswerProvenance) if one.name != "step_version"
)
"""The fields of an answer's provenance that are stored with it; the version of its step is stored
in `steps`.
"""
_FOOTPRINT_FIELDS: Final = tuple(one.name for one in fields(Footprint))
_FOOTPRINT: Final = TypeAdapter(Footprint)
_ANSWERS: Final = TypeAdapter(dict[str, AnswerProvenance])


@dataclass(frozen=True, slots=True)
class StoredDetail:
    """A footprint with the answers that it rests on, each in its stored form, by step."""

    footprint: Footprint
    answers: Mapping[StepName, Mapping[str, Any]]
    provenance: Provenance
    model_answers: Mapping[StepName, Mapping[str, Any]] = field(default_factory=dict)
    """The model's own answers to steps that are corrected."""
    cause: Cause = PROCESSED
    """Why this version of the footprint was computed."""


def write_detail(detail: StoredDetail, rates: dict[int, Rate]) -> dict[str, Any]:
    """The footprint as JSON-ready data. The rates that it refers to are put into `rates`, which the
    caller must store too.
    """
    # Earlier programs know no supplier's route: it is made anew from `supplier`.
    footprint = without_supplier_route(detail.footprint)
    return {
        "footprint": {
            **{name: getattr(footprint, name) for name in _FOOTPRINT_FIELDS},
            "contribution_fields": (RATE, *_OWN_FIELDS),
            "contributions": [
                (number_rate(one, rates), *_own_values(one)) for one in footprint.contributions
            ],
        },
        "answers": detail.answers,
        **({"model_answers": detail.model_answers} if detail.model_answers else {}),
        "provenance": _write_provenance(detail.provenance),
        **({} if detail.cause is PROCESSED else {"cause": detail.cause.as_stored()}),
    }


def _write_provenance(provenance: Provenance) -> dict[str, Any]:
    """Where the answers came from, as JSON-ready data."""
    # A list, because jsonb does not keep the order of names. The versions stand in `steps` alone.
    answers = [
        {"step": step, **{name: getattr(given, name) for name in _GIVEN_FIELDS}}
        for step, given in provenance.answers.items()
    ]
    return {
        "method": provenance.method,
        "factors": provenance.factors,
        "steps": provenance.steps,
        "answers": answers,
        # Programs of schema 8 know these alone.
        "provider": provenance.provider,
        "model": provenance.model,
        "simulated": provenance.simulated,
    }


def read_detail(stored: Mapping[str, Any], rates: Mapping[int, Rate]) -> StoredDetail:
    """What `write_detail` wrote, in this version of the program or another.

    `rates` has those that the footprint refers to.
    """
    footprint = stored["footprint"]
    contributions = [_read_contribution(one, rates) for one in named_contributions(stored)]
    return StoredDetail(
        footprint=with_supplier_route(
            _FOOTPRINT.validate_python({**footprint, "contributions": contributions})
        ),
        answers=stored["answers"],
        provenance=_read_provenance(stored["provenance"]),
        model_answers=stored.get("model_answers", {}),
        cause=Cause.from_stored(stored.get("cause")),
    )


def read_given(
    stored: Mapping[str, Any],
) -> tuple[dict[StepName, Mapping[str, Any]], Provenance]:
    """The answers as the model gave them, by step, and their provenance: all that a new calculation
    needs.
    """
    given = {**stored["answers"], **stored.get("model_answers", {})}
    return given, _read_provenance(stored["provenance"])


def rates_named(details: Iterable[Mapping[str, Any]]) -> set[int]:
    """The numbers of the rates that stored footprints refer to."""
    return {one[RATE] for detail in details for one in named_contributions(detail) if RATE in one}


def named_contributions(stored: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The contributions of a stored footprint, each by the names of its fields; before schema 8
    they were stored so.
    """
    footprint = stored["footprint"]
    names: Sequence[str] = footprint.get("contribution_fields", UNNAMED_FIELDS)
    return [
        one if isinstance(one, dict) else dict(zip(names, one, strict=True))
        for one in footprint["contributions"]
    ]


def labelled_emissions(stored: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(label, kg CO2e) of each contribution of a stored footprint, without making records of
    them.
    """
    footprint = stored["footprint"]
    names = list(footprint.get("contribution_fields", UNNAMED_FIELDS))
    label, emissions = names.index("label"), names.index("emissions_kg_co2e")
    return [
        (one["label"], one["emissions_kg_co2e"])
        if isinstance(one, dict)
        else (one[label], one[emissions])
        for one in footprint["contributions"]
    ]


def _read_contribution(one: Mapping[str, Any], rates: Mapping[int, Rate]) -> dict[str, Any]:
    """The fields of a contribution, those of its rate among them."""
    known = {name: one[name] for name in Contribution._fields if name in one}
    if RATE in one:
        known |= zip(RATE_FIELDS, rates[one[RATE]], strict=True)
    return known


def _read_provenance(stored: Mapping[str, Any]) -> Provenance:
    """What `_write_provenance` wrote, in this version of the program or an earlier one."""
    # Before schema 9 the footprint said it for all steps together.
    together = {name: stored[name] for name in ("provider", "model", "simulated")}
    unnamed = [{"step": step, **together, "answered_at": None} for step in stored["steps"]]
    answers = {
        given["step"]: {**given, "step_version": stored["steps"][given["step"]]}
        for given in stored.get("answers", unnamed)
    }
    return Provenance(stored["method"], stored["factors"], _ANSWERS.validate_python(answers))
