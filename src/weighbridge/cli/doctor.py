"""`weighbridge doctor`: checks the contents of the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from weighbridge.cli.console import DataDirOption, JsonOption, out, print_json, run_async
from weighbridge.settings import load_settings

if TYPE_CHECKING:
    from weighbridge.service.doctor import Examination


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Check rules that the database must always keep. If one is broken, say what is wrong and how
    to mend it (exit code 1).
    """
    from weighbridge.service.doctor import examine
    from weighbridge.service.opening import opened_database

    settings = load_settings(data_dir=data_dir)

    async def open_and_examine() -> Examination:
        async with opened_database(settings) as database:
            return await examine(database)

    examination = run_async(open_and_examine())
    if as_json:
        document = {"sound": examination.is_sound, "checks": examination.checks}
        findings = [asdict(finding) for finding in examination.findings]
        print_json({**document, "findings": findings})
    else:
        _print_examination(examination)
    raise typer.Exit(0 if examination.is_sound else 1)


def _print_examination(examination: Examination) -> None:
    """Print that all rules hold, or each broken rule with examples and what to do."""
    if examination.is_sound:
        out.print(f"Sound: {examination.checks} rules hold.")
    for finding in examination.findings:
        more = finding.count - len(finding.examples)
        examples = ", ".join(finding.examples) + (f" and {more:,} more" if more > 0 else "")
        out.print(f"✗ {finding.rule}", style="red")
        for line in (f"{finding.count:,} {finding.problem}: {examples}", finding.remedy):
            out.print(f"  {line}", soft_wrap=True)
