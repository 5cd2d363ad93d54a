"""`weighbridge prompts`: writes the questions about a catalogue to files, or checks answers to
them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.cli.console import FileArgument, JsonOption, out, print_json, refuse_ignored
from weighbridge.cli.reading import AS_FOUND, HowToRead, reads_a_catalogue
from weighbridge.plain_text import counted
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.domain.products import RejectedRow
    from weighbridge.service.evaluation.questionnaires import CheckedAnswers, Questionnaire

REFUSALS_SHOWN = 20
"""How many refused answers, and how many rejected rows, are printed, at most."""

AnswersOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--answers",
        help="Check the answers in this file (JSONL: an id and a reply on each line) instead of "
        "writing questions.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prompts")(prompts)


@reads_a_catalogue
def prompts(
    context: typer.Context,
    file: FileArgument,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path("prompts"),
    answers: AnswersOption = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="With --answers: also write the answers that passed the checks to this file; "
            "`run --answers FILE` replays it.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="With --record: who answered.")
    ] = "a language model",
    reading: HowToRead = AS_FOUND,
    as_json: JsonOption = False,
) -> None:
    """Write the questions about the products of a file, or check answers to them.

    Nothing is sent, and nothing is stored in the database.
    """
    from weighbridge.application import load_questions
    from weighbridge.clock import SystemClock
    from weighbridge.domain.recordings import write_recording
    from weighbridge.service.evaluation.questionnaires import (
        check_answers,
        read_replies,
        record,
        write_questionnaire,
    )

    if answers:
        refuse_ignored(context, "With --answers", "out_dir")
    else:
        refuse_ignored(context, "Without --answers", "recording")
    if recording is None:
        refuse_ignored(context, "Without --record", "by")
    settings = load_settings()
    question = load_questions(settings).together
    questionnaire = write_questionnaire(
        file, question, reading.options(settings.field_limits), model=settings.model
    )
    if answers and recording:
        on = SystemClock().now().date().isoformat()
        made = record(questionnaire, question, read_replies(answers), by=by, on=on)
        recording.write_text(write_recording(made), encoding="utf-8")
    if answers:
        if not as_json:
            _print_rejected(questionnaire.rejected)
        _print_checked(check_answers(questionnaire, question, read_replies(answers)), as_json)
        return
    _write_and_report(questionnaire, out_dir, as_json)


def _write_and_report(questionnaire: Questionnaire, folder: Path, as_json: bool) -> None:
    """Write the questions to files, and print their names and the rejected rows."""
    written = _write_files(questionnaire, folder)
    if as_json:
        print_json(
            {
                "questions": len(questionnaire.groups),
                "files": [str(p) for p in written],
                "rejectedRows": [
                    {"row": one.row, "code": one.code, "reason": one.reason}
                    for one in questionnaire.rejected
                ],
            }
        )
        return
    out.print(
        f"{counted(len(questionnaire.groups), 'question')} written to {folder}: "
        f"{', '.join(p.name for p in written)}",
        highlight=False,
        soft_wrap=True,
    )
    _print_rejected(questionnaire.rejected)


def _print_rejected(rejected: Sequence[RejectedRow]) -> None:
    """Print the first few rejected rows with their reasons, and how many more there are."""
    if rejected:
        rows = counted(len(rejected), "row")
        out.print(f"{rows} rejected: no question was written for them", highlight=False)
    for one in rejected[:REFUSALS_SHOWN]:
        code = f" ({one.code})" if one.code else ""
        out.print(
            f"  row {one.row}{code}: {one.reason}", markup=False, highlight=False, soft_wrap=True
        )
    if len(rejected) > REFUSALS_SHOWN:
        out.print(f"  and {counted(len(rejected) - REFUSALS_SHOWN, 'more row')}", highlight=False)


def _write_files(questionnaire: Questionnaire, folder: Path) -> list[Path]:
    """Write instructions.txt, schema.json and questions.jsonl (one question a line).

    Existing files are overwritten. Returns the paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {"id": question_id, "codes": [one.code for one in members], "content": content},
            ensure_ascii=False,
        )
        for question_id, members, content in questionnaire.groups
    ]
    schema = json.dumps(questionnaire.schema, ensure_ascii=False, indent=1)
    texts = {
        "instructions.txt": questionnaire.instructions,
        "schema.json": schema,
        "questions.jsonl": "\n".join(lines),
    }
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    return [folder / name for name in texts]


def _print_checked(checked: CheckedAnswers, as_json: bool) -> None:
    """Print how many answers were accepted, and the first refusals with their reasons.

    Raises:
        typer.Exit: code 1, when any answer was refused.
    """
    if as_json:
        print_json({"accepted": sorted(checked.answers), "refused": dict(checked.refused)})
    else:
        out.print(f"{len(checked.answers):,} accepted, {len(checked.refused):,} not")
        for code, reason in list(checked.refused.items())[:REFUSALS_SHOWN]:
            shown = reason if code in reason else f"{code}: {reason}"
            out.print(f"  {shown}", markup=False, highlight=False, soft_wrap=True)
    if checked.refused:
        raise typer.Exit(1)
