"""`weighbridge evaluate`: compares footprints with published figures."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from weighbridge.cli.console import (
    FileArgument,
    JsonOption,
    err,
    out,
    print_json,
)
from weighbridge.cli.reading import AS_FOUND, HowToRead, reads_a_catalogue
from weighbridge.errors import InputError
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.domain.products import Product
    from weighbridge.service.evaluation.asking import AskedAnswers
    from weighbridge.service.evaluation.judging import Evaluation
    from weighbridge.service.evaluation.scores import Scores
    from weighbridge.settings import Settings


REASONS_SHOWN: Final = 20
"""How many of the products that were left out are printed with the reason, at most."""

TruthOption = Annotated[
    Path,
    typer.Option(
        "--truth",
        help="CSV with the column code and either cradle_to_gate_kg_co2e or both low_kg_co2e and high_kg_co2e; optional: sector, company, country.",
    ),
]
AnswersOption = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        help="Replay the answers in this recording, as `prompts --answers … --record FILE` writes it. No key, no cost.",
        show_default=False,
    ),
]
SimulateOption = Annotated[
    bool,
    typer.Option(
        "--simulate",
        help="Answers from the built-in simulator: made up, and labelled as such. No key, no cost.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the table and the plot.")]
OwnMakerOption = Annotated[
    bool,
    typer.Option(
        "--own-maker", help="Also use published figures of a product's own maker for its estimate."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


@reads_a_catalogue
def evaluate(
    file: FileArgument,
    truth: TruthOption,
    answers: AnswersOption = None,
    simulate: SimulateOption = False,
    out_dir: OutOption = Path("evaluation"),
    own_maker: OwnMakerOption = False,
    reading: HowToRead = AS_FOUND,
    as_json: JsonOption = False,
) -> None:
    """Compare footprints with published figures: errors, bias, coverage, by sector and maker.

    Answers come from a recording, the simulator or else the provider, which is called once for each
    group of products, outside of the queue. Nothing is stored.
    """
    from weighbridge.application import load_factors
    from weighbridge.service.evaluation import judging, questionnaires
    from weighbridge.service.evaluation.truth import read_truth

    settings = load_settings()
    published = read_truth(truth)
    truths = published.truths
    read = questionnaires.read_products(file, reading.options(settings.field_limits))
    products = [product for product in read.products if product.code in truths]
    asked = _answers(settings, products, answers, simulate=simulate)
    given, factors = asked.checked.answers, load_factors(settings)
    found = judging.evaluate(products, truths, given, factors, keep_own_maker=own_maker)
    left_out = {**published.left_out, **found.left_out, **asked.checked.refused}
    left_out |= {
        row.code: row.reason for row in read.rejected if row.code and row.code in found.left_out
    }
    if found.judged:
        _write_files(found, out_dir, f"{file.stem}: {asked.label}")
    if as_json:
        scored = [asdict(one) for one in _all_scores(found)] if found.judged else []
        print_json({"answers": asked.label, "scores": scored, "leftOut": left_out})
    else:
        _print_scores(found, out_dir, asked)
        _print_left_out(left_out)
    if not found.judged:
        err.print(
            "No product has both an answer and a published figure: check that the codes in --truth are those of the catalogue.",
            style="red",
        )
        raise typer.Exit(2)


def _answers(
    settings: Settings, products: list[Product], answers: Path | None, *, simulate: bool
) -> AskedAnswers:
    """The answers about the products: from the recording, the simulator or else the provider.

    Raises:
        InputError: both recording and simulator are named.
    """
    from weighbridge.application import load_questions
    from weighbridge.service.evaluation import questionnaires
    from weighbridge.service.evaluation.asking import AskedAnswers

    if answers is None:
        return asyncio.run(_ask_provider(settings, products, simulate=simulate))
    if simulate:
        raise InputError("Give --answers or --simulate, not both.")
    recording = questionnaires.load_recording(answers)
    question = load_questions(settings).together
    checked = questionnaires.recorded_answers(recording, question, products)
    return AskedAnswers(checked, recording.label, None)


async def _ask_provider(
    settings: Settings, products: list[Product], *, simulate: bool
) -> AskedAnswers:
    """The answers of the configured provider, or of the simulator; the queue is not used.

    Raises:
        ProviderError: the provider fails its check; nothing was asked.
    """
    from weighbridge.application import load_questions
    from weighbridge.clock import SystemClock
    from weighbridge.service.evaluation.asking import ask
    from weighbridge.wiring import SIMULATED_LIMITS, open_provider, simulator_config

    simulator = simulator_config(settings, SIMULATED_LIMITS) if simulate else None
    async with open_provider(settings, simulator) as provider:
        await provider.check()
        return await ask(products, load_questions(settings).together, provider, SystemClock())


def _all_scores(found: Evaluation) -> list[Scores]:
    """Scores for each sector, each maker with more than two products, all rows, and distinct
    products.
    """
    from weighbridge.service.evaluation.scores import by_group, distinct, scores

    judged = found.judged
    return [
        *by_group(judged, lambda one: one.truth.sector),
        *(one for one in by_group(judged, lambda one: one.truth.maker) if one.products > 2),
        scores("all rows", judged),
        scores("distinct products", distinct(judged)),
    ]


def _write_files(found: Evaluation, folder: Path, title: str) -> None:
    """Write evaluation.svg and evaluation.csv, replacing earlier ones. Figures are kg CO2e."""
    from weighbridge.export.cells import neutral_text
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
                    neutral_text(one.truth.code),
                    one.emissions_kg_co2e,
                    one.low_kg_co2e,
                    one.high_kg_co2e,
                    *published,
                    one.ratio,
                    one.decided_by,
                ]
            )


def _print_scores(found: Evaluation, folder: Path, asked: AskedAnswers) -> None:
    """Print scores, intervals, baseline and cost; nothing if no product could be judged."""
    if not found.judged:
        return
    from weighbridge.service.evaluation.scores import baseline, bootstrap, median_error, within_2

    shown = Table(title=f"Computed against published ({asked.label})", title_justify="left")
    for name in ("", "products", "median error", "within ×2", "bias", "in range", "rank"):
        shown.add_column(name, justify="left" if not name else "right")
    for one in _all_scores(found):
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
        out.print(f"{name}, 95 % range over other samples of makers: {low:.0%} to {high:.0%}")
    if guessed := baseline(found.judged):
        out.print(
            "For comparison, weight × median kg CO2e per kg of the sector: median error "
            f"{median_error(guessed):.0%}, within ×2 {within_2(guessed):.0%}"
        )
    if asked.cost_usd is not None:
        out.print(f"Cost: {asked.cost_usd:.4f} USD")
    out.print(f"Files: {folder / 'evaluation.csv'}, {folder / 'evaluation.svg'}", soft_wrap=True)


def _print_left_out(left_out: Mapping[str, str]) -> None:
    """Print how many products were not compared, and the reason for each of the first ones."""
    if left_out:
        out.print(f"Left out: {len(left_out):,}")
    for code, reason in list(left_out.items())[:REASONS_SHOWN]:
        shown = reason if code in reason else f"{code}: {reason}"
        out.print(f"  {shown}", markup=False, highlight=False, soft_wrap=True)
    if len(left_out) > REASONS_SHOWN:
        out.print(
            f"  and {counted(len(left_out) - REASONS_SHOWN, 'more product')}", highlight=False
        )
