"""`evaluate`: footprints against figures that others published."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from weighbridge.cli.console import (
    FileArgument,
    JsonOption,
    MapOption,
    err,
    out,
    print_json,
)
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.evaluation.judging import Evaluation
    from weighbridge.service.evaluation.scores import Scores


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    file: FileArgument,
    truth: Annotated[
        Path,
        typer.Option(
            "--truth",
            help="CSV with code and cradle_to_gate_kg_co2e, or low_kg_co2e and high_kg_co2e; also sector, company, country.",
        ),
    ],
    answers: Annotated[
        Path,
        typer.Option(
            "--answers", help="A recording: `prompts --answers … --record FILE` writes one."
        ),
    ],
    out_dir: Annotated[
        Path, typer.Option("--out", help="Folder for the table and the plot.")
    ] = Path("evaluation"),
    own_maker: Annotated[
        bool,
        typer.Option("--own-maker", help="Keep references of a product's own maker."),
    ] = False,
    mapping: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare footprints with published figures: errors, bias, coverage, by sector and maker.

    Nothing is sent or stored.
    """
    from weighbridge.ingest.columns.matching import parse_mapping
    from weighbridge.service.evaluation import judging, questionnaires
    from weighbridge.service.evaluation.truth import read_truth
    from weighbridge.wiring import load_factors, load_questions

    settings = load_settings()
    recording = questionnaires.load_recording(answers)
    products = questionnaires.read_products(
        file, mapping=parse_mapping(mapping or []), limits=settings.field_limits
    )
    checked = questionnaires.recorded_answers(
        recording, load_questions(settings).together, products
    )
    found = judging.evaluate(
        products,
        read_truth(truth),
        checked.answers,
        load_factors(settings),
        keep_own_maker=own_maker,
    )
    if not found.judged:
        err.print("No product has both an answer and a published figure.", style="red")
        raise typer.Exit(2)
    table = _all_scores(found)
    _write(found, out_dir, f"{file.stem}: {recording.label}")
    if as_json:
        print_json({"scores": [asdict(one) for one in table], "leftOut": dict(found.left_out)})
        return
    _say(found, table, out_dir, recording.label)


def _all_scores(found: Evaluation) -> list[Scores]:
    from weighbridge.service.evaluation.scores import by_group, distinct, scores

    judged = found.judged
    return [
        *by_group(judged, lambda one: one.truth.sector),
        *(one for one in by_group(judged, lambda one: one.truth.maker) if one.products > 2),
        scores("all rows", judged),
        scores("distinct products", distinct(judged)),
    ]


def _write(found: Evaluation, folder: Path, title: str) -> None:
    from weighbridge.service.evaluation.plot import scatter

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.svg").write_text(scatter(found.judged, title), encoding="utf-8")
    with (folder / "evaluation.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            [
                "code",
                "computed_kg_co2e",
                "low",
                "high",
                "published_low",
                "published_high",
                "ratio",
                "decided_by",
            ]
        )
        for one in found.judged:
            published = one.truth.low_kg_co2e, one.truth.high_kg_co2e
            writer.writerow(
                [
                    one.truth.code,
                    one.emissions_kg_co2e,
                    one.low_kg_co2e,
                    one.high_kg_co2e,
                    *published,
                    one.ratio,
                    one.decided_by,
                ]
            )


def _say(found: Evaluation, table: list[Scores], folder: Path, label: str) -> None:
    from weighbridge.service.evaluation.scores import baseline, bootstrap, median_error, within_2

    shown = Table(title=f"Computed against published ({label})", title_justify="left")
    for name in ("", "products", "median error", "within ×2", "bias", "in range", "rank"):
        shown.add_column(name, justify="left" if not name else "right")
    for one in table:
        rank = "" if one.rank_correlation is None else f"{one.rank_correlation:.2f}"
        shown.add_row(
            one.name,
            f"{one.products:,}",
            f"{one.median_error:.0%}",
            f"{one.within_2:.0%}",
            f"{one.bias:.2f}",
            f"{one.covered:.0%}",
            rank,
        )
    out.print(shown)
    for name, score in (("median error", median_error), ("within ×2", within_2)):
        low, high = bootstrap(found.judged, score)
        out.print(f"{name}, other makers drawn: {low:.0%} to {high:.0%}")
    if guessed := baseline(found.judged):
        out.print(
            "Baseline, weight × sector median of other makers: median error "
            f"{median_error(guessed):.0%}, "
            f"within ×2 {within_2(guessed):.0%}"
        )
    if found.left_out:
        out.print(f"Left out: {', '.join(sorted(found.left_out))}", soft_wrap=True)
    out.print(f"Files: {folder / 'evaluation.csv'}, {folder / 'evaluation.svg'}", soft_wrap=True)
