"""A file that kills its reader costs an error that names it, never the program."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import psutil
import pytest
from typing_extensions import override

from weighbridge.application import estimate_basis
from weighbridge.embedded_postgres.waiting import wait_until
from weighbridge.errors import MissingColumn, UnreadableFile
from weighbridge.ingest.base import Choices
from weighbridge.ingest.catalogue import Catalogue
from weighbridge.ingest.decisions import Given, ReadOptions
from weighbridge.ingest.isolation.child import reply_to
from weighbridge.ingest.isolation.limits import ReaderLimits
from weighbridge.ingest.isolation.messages import Bug, FileRefused, OutOfMemory
from weighbridge.ingest.isolation.process import ReaderProcess
from weighbridge.ingest.isolation.reading import KEPT_ROWS, OpenCatalogue, check_uploaded_picture
from weighbridge.ingest.values.units import GRAM
from weighbridge.service.estimates import Estimator
from weighbridge.service.imports import (
    Inspection,
    import_catalogue,
    import_file,
    inspect_catalogue,
    inspect_file,
)
from weighbridge.settings import load_settings
from weighbridge.store.database import open_database

if TYPE_CHECKING:
    from weighbridge.ingest.checking.chunks import CheckedChunk

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="Only Linux enforces the limit on memory and has FIFOs."
)
LARGE_ROWS = 3 * KEPT_ROWS
GOOD = "code,name,description,weight\nA-1,Chair,Chair of oak,5\nA-2,Mug,Mug of stone,0.3\n"
HASTY = ReaderLimits(silence_s=0.5)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that nobody ever writes to."""
    path = tmp_path / "endless.csv"
    os.mkfifo(path)
    return path


def test_child_gives_what_reading_in_this_process_gives(good: Path) -> None:
    here = Catalogue(good)
    with OpenCatalogue(good) as there:
        assert there.head == here.head
        (mine,), (theirs,) = here.chunks(), there.chunks()
    assert theirs.products.equals(mine.products)
    assert (theirs.rejected, theirs.given) == (mine.rejected, mine.given)


def test_file_that_never_ends_is_given_up_by_name(endless: Path) -> None:
    with pytest.raises(
        UnreadableFile, match=r'"endless.csv": .*no further for 0.5 s.*too busy.*as CSV'
    ):
        OpenCatalogue(endless, limits=HASTY)


def test_file_that_eats_memory_is_given_up_by_name(tmp_path: Path) -> None:
    path = tmp_path / "greedy.parquet"
    text = pl.Series([f"{i} wood" * 40 for i in range(200_000)])
    pl.DataFrame({"code": text, "name": text, "description": text}).write_parquet(path)
    with (
        # Out of memory, compiled code aborts, or its threads wait for each other for ever.
        pytest.raises(UnreadableFile, match=r'"greedy.parquet": .*(160 MB of memory|no further)'),
        OpenCatalogue(
            path, limits=ReaderLimits(memory_bytes=160 << 20, silence_s=20.0)
        ) as catalogue,
    ):
        list(catalogue.chunks())


def told_of(error: BaseException, cause: BaseException | None = None) -> type:
    """What kind of reply the parent gets."""
    error.__cause__ = cause
    return type(reply_to(error))


def test_compiled_code_without_memory_is_no_fault_of_file_or_program() -> None:
    packing = pl.exceptions.ComputeError("zstd error: Allocation error : not enough memory")
    assert told_of(packing) is OutOfMemory
    assert told_of(MemoryError()) is OutOfMemory
    assert told_of(UnreadableFile("The Parquet file is damaged"), packing) is OutOfMemory
    assert told_of(UnreadableFile('the sheet "not enough memory" is empty')) is FileRefused
    assert told_of(pl.exceptions.ComputeError("invalid utf-8")) is Bug


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_file_that_crashes_its_reader_is_named_with_the_signal(
    endless: Path, number: signal.Signals
) -> None:
    process = ReaderProcess()
    os.kill(process.pid, number)
    with pytest.raises(UnreadableFile, match=rf"crashed the reader \({number.name}\)"):
        process.reply(HASTY)
    process.close()


def test_a_reader_that_something_else_kills_is_no_fault_of_the_file() -> None:
    """As the system does when memory runs out."""
    process = ReaderProcess()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(
        UnreadableFile, match=r"was killed\. The operating system .* may be in order"
    ):
        process.reply(ReaderLimits())
    process.close()


def test_next_file_is_read_after_a_crash(endless: Path, good: Path) -> None:
    with pytest.raises(UnreadableFile):
        OpenCatalogue(endless, limits=HASTY)
    with OpenCatalogue(good) as catalogue:
        assert sum(chunk.products.height for chunk in catalogue.chunks()) == 2


def test_errors_of_the_file_keep_their_kind_and_name_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("code,name\nA,B\n")
    with pytest.raises(MissingColumn) as caught:
        OpenCatalogue(path)
    assert str(caught.value).count('"bad.csv"') == 0 or str(caught.value).count("bad.csv") == 1
    with pytest.raises(UnreadableFile, match="no sheet") as refused:
        OpenCatalogue(workbook(tmp_path), ReadOptions(choices=Choices(sheet="Q")))
    assert str(refused.value).count("book.xlsx") == 1


def workbook(folder: Path) -> Path:
    path = folder / "book.xlsx"
    pl.DataFrame({"code": ["A"], "name": ["B"], "description": ["C"]}).write_excel(path)
    return path


def test_answer_to_a_question_is_taken_without_reading_again(tmp_path: Path) -> None:
    path = tmp_path / "grams.csv"
    rows = "".join(f"A-{i},Chair,Chair of oak,{i * 500}\n" for i in range(1, 9))
    path.write_text(f"code,name,description,weight\n{rows}")
    with OpenCatalogue(path) as catalogue:
        (doubt,) = catalogue.head.decisions.doubts
        assert "--unit g (grams)" in doubt.message
        path.write_text("gone")
        catalogue.decide(Given(unit=GRAM))
        assert not catalogue.head.decisions.doubts


def test_child_ends_with_its_parent() -> None:
    process = ReaderProcess()
    stdin = process._process.stdin
    assert stdin is not None
    stdin.close()
    with pytest.raises(UnreadableFile, match="exit code 0"):
        process.reply(ReaderLimits())
    assert not process.is_alive
    process.close()


def test_signals_of_the_terminal_do_not_end_a_child(good: Path) -> None:
    with OpenCatalogue(good) as catalogue:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(catalogue.pid, number)
        assert sum(chunk.products.height for chunk in catalogue.chunks()) == 2


def test_no_picture_is_refused_and_its_reader_goes_on() -> None:
    for _ in range(2):
        with pytest.raises(UnreadableFile, match="not a JPEG"):
            check_uploaded_picture(b"no picture")


def test_a_reader_has_no_keys_and_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has files of strangers before it, and its memory must not grow with the cores."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    process = ReaderProcess()
    try:
        environment = Path(f"/proc/{process.pid}/environ")
        assert wait_until(lambda: environment.read_text() != "", 60.0)
        told = environment.read_text()
    finally:
        process.close()
    assert "sk-secret" not in told
    assert "POLARS_MAX_THREADS=2\0" in told


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that needs several chunks."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("code,name,description,weight\n")
        file.writelines(
            f"A-{i},Chair {i},Chair of oak number {i:0300d},5\n" for i in range(LARGE_ROWS)
        )
    return path


def test_a_reader_ends_with_a_large_file_and_stays_after_a_small_one(
    good: Path, large: Path
) -> None:
    """It keeps the memory of a large one; the sample of an estimate is counted when it is gone."""
    stays: dict[Path, bool] = {}
    for path in (good, large):
        with OpenCatalogue(path) as catalogue:
            reader = psutil.Process(catalogue.pid)
            assert sum(chunk.products.height for chunk in catalogue.chunks()) > 0
            stays[path] = reader.is_running()
    assert stays == {good: True, large: False}


class ReaderKilled(Estimator):
    """Sees its reader killed after the first chunk."""

    def __init__(self, reader: int) -> None:
        super().__init__(estimate_basis(load_settings()))
        self._reader = reader

    @override
    def take(self, chunk: CheckedChunk) -> None:
        super().take(chunk)
        os.kill(self._reader, signal.SIGKILL)


def test_a_reader_killed_halfway_costs_the_report_and_its_estimate(large: Path, good: Path) -> None:
    with (
        OpenCatalogue(large) as catalogue,
        pytest.raises(UnreadableFile, match=r'"large.csv": .* was killed after row [1-9]'),
    ):
        inspect_catalogue(catalogue, ReaderKilled(catalogue.pid))
    assert inspect_file(good, estimator=Estimator(estimate_basis(load_settings()))).estimate


@pytest.mark.anyio
async def test_a_reader_killed_halfway_stores_nothing(
    large: Path, good: Path, database_url: str, tmp_path: Path
) -> None:
    asked: list[Inspection] = []
    database = await open_database(database_url, tmp_path)
    try:
        with OpenCatalogue(large) as catalogue:
            killed = ReaderKilled(catalogue.pid)
            with pytest.raises(UnreadableFile, match=r"was killed after row [1-9]"):
                await import_catalogue(database, catalogue, estimator=killed, confirm=asked.append)
        assert asked == []
        assert await database.pool.fetchval("SELECT count(*) FROM products") == 0
        assert (await import_file(database, good)).result.created == 2
    finally:
        await database.close()
