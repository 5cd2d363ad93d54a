"""JSON arrays, objects around them, and JSONL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.catalogues import read_all, read_file, write_text
from weighbridge.errors import InputError, UnreadableFile
from weighbridge.ingest.formats import json_reader, json_records

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, object] = {"code": "A", "name": "b", "description": "c"}


def codes_and_rejected(
    folder: Path, text: str, encoding: str = "utf-8"
) -> tuple[list[str], list[int]]:
    products, rejected = read_all(write_text(folder / "a.json", text, encoding))
    return [p.code for p in products], [row.row for row in rejected]


def line(code: str) -> str:
    return json.dumps({**GOOD, "code": code})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    text = json.dumps([{**GOOD, "name": "Stühle"}], ensure_ascii=False)
    products, _ = read_all(write_text(tmp_path / "a.json", text, encoding))
    assert products[0].name == "Stühle"


def test_numbers_keep_their_spelling(tmp_path: Path) -> None:
    text = '[{"code": 1.50, "name": 12345678901234567890123, "description": 7.0, "weight": 1e-3}]'
    products, rejected = read_all(write_text(tmp_path / "a.json", text))
    assert rejected == []
    (product,) = products
    assert (product.code, product.name, product.description) == (
        "1.50",
        "12345678901234567890123",
        "7",
    )
    assert product.weight_kg == 0.001


def test_a_single_object_is_a_catalogue(tmp_path: Path) -> None:
    assert codes_and_rejected(tmp_path, json.dumps(GOOD, indent=2)) == (["A"], [])
    assert codes_and_rejected(tmp_path, json.dumps(GOOD)) == (["A"], [])


CODELESS = {"name": "b", "description": "c", "images": [{"src": "https://shop.example/a.png"}]}


@given(
    indent=st.sampled_from([None, 2]),
    around=st.sampled_from([(), ("products",), ("shop", "catalogue")]),
    parts=st.dictionaries(
        st.text("AB-/.é7", min_size=1, max_size=5).filter(lambda key: key not in {".", ".."}),
        st.sampled_from([CODELESS, {"name": "b", "description": "c", "weight": {"value": 1}}]),
        min_size=2,
        max_size=5,
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_products_by_code_are_read_wherever_they_stand(
    tmp_path: Path, indent: int | None, around: tuple[str, ...], parts: dict[str, object]
) -> None:
    whole: dict[str, object] = parts
    for key in reversed(around):
        whole = {key: whole, "exported": "2026-11-28"}
    assert codes_and_rejected(tmp_path, json.dumps(whole, indent=indent)) == (list(parts), [])


def test_a_product_among_those_by_code_that_lacks_its_name_is_rejected_alone(
    tmp_path: Path,
) -> None:
    whole = {"A": CODELESS, "B": {"description": "c"}, "C": CODELESS}
    assert codes_and_rejected(tmp_path, json.dumps(whole)) == (["A", "C"], [2])


def test_keys_are_no_codes_where_products_have_their_own(tmp_path: Path) -> None:
    whole = {"x": GOOD | {"code": "A"}, "y": CODELESS, "z": GOOD | {"code": "C"}}
    assert codes_and_rejected(tmp_path, json.dumps(whole)) == (["A", "C"], [2])


@pytest.mark.parametrize("numbers", [(0, 1, 2), (1, 2, 3), (0, 4, 9)])
def test_keys_that_only_count_are_no_codes(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    text = json.dumps({str(number): CODELESS for number in numbers})
    with pytest.raises(InputError, match="not found: code"):
        codes_and_rejected(tmp_path, text)


def test_jsonl_under_the_name_of_json_is_read(tmp_path: Path) -> None:
    assert codes_and_rejected(tmp_path, f"{line('A')}\n{line('B')}\n{line('C')}\n") == (
        ["A", "B", "C"],
        [],
    )


def test_a_broken_line_of_jsonl_is_rejected_alone(tmp_path: Path) -> None:
    text = f'{line("A")}\n\n{{"code": "B", \n5\n{"[" * 100_000}\n{line("C")}'
    assert codes_and_rejected(tmp_path, text) == (["A", "C"], [3, 4, 5])


def test_a_gigantic_line_of_jsonl_is_rejected_alone(tmp_path: Path) -> None:
    giant = json.dumps({**GOOD, "name": "x" * 3 * json_reader.MAX_RECORD_CHARACTERS})
    assert codes_and_rejected(tmp_path, f"{line('A')}\n{giant}\n{line('C')}\n") == (
        ["A", "C"],
        [2],
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"code": "A"', "damaged in record 1"),
        ('[{"code": "A"} {"code": "B"}]', "expected ','"),
        ('[{"code": "A"},', "damaged in record 2"),
        ('[{"code": "A"}] []', "goes on behind the end"),
        ("[" * 100_000, "nested too deeply"),
        ('{"products": ' + "[" * 100_000, "nested too deeply"),
        ('{"products": 5}', "not a list"),
        ('{"code": "A",\n "name": }', "line 2, column 10"),
        ('[{"code": "A"}', "the end of the file"),
    ],
)
def test_damaged_json_error_gives_the_position(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        codes_and_rejected(tmp_path, text)


def test_elements_that_are_no_objects_are_rejected_alone(tmp_path: Path) -> None:
    text = f'[{line("A")}, 5, "x", null, [1], {line("C")}, 12]'
    assert codes_and_rejected(tmp_path, text) == (
        ["A", "C"],
        [2, 3, 4, 5, 7],
    )


@pytest.mark.parametrize("wrap", ["[{}, {}]", "{}\n{}"])
def test_a_key_that_stands_twice_loses_neither_value_without_a_word(
    tmp_path: Path, wrap: str
) -> None:
    record = '{"code":"%s","name":"Chair","description":"oak","weight":"2 kg","weight":"%s"}'
    text = wrap.format(record % ("same", "2 kg"), record % ("other", "70 kg"))
    read = read_file(write_text(tmp_path / "a.json", text))
    assert [product.weight_kg for product in read.products] == [2.0, None]
    (note,) = read.notes
    assert (note.code, note.field) == ("other", "weight")
    assert note.found == "2 kg, 70 kg"


def test_a_key_that_first_comes_late_is_not_lost(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{**GOOD, "code": i} for i in range(25_000)]
    records += [{**GOOD, "code": "B", "weight": 2}]
    text = "\n".join(json.dumps(record) for record in records)
    products, rejected = read_all(write_text(tmp_path / "a.jsonl", text))
    assert rejected == []
    assert products[-1].weight_kg == 2.0


def test_too_many_distinct_keys_are_refused(tmp_path: Path) -> None:
    text = json.dumps([{**GOOD, f"key {i}": 1} for i in range(json_records.MAX_KEYS + 1)])
    with pytest.raises(UnreadableFile, match="different keys"):
        codes_and_rejected(tmp_path, text)


def test_an_array_larger_than_a_block_is_read_whole(tmp_path: Path) -> None:
    records = [
        {**GOOD, "code": f"P-{i}", "description": "ü" * (i % 300 + 1)} for i in range(20_000)
    ]
    text = json.dumps(records, ensure_ascii=False)
    assert len(text) > 3_000_000
    codes, rejected = codes_and_rejected(tmp_path, text)
    assert rejected == []
    assert codes == [record["code"] for record in records]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(json_values, max_size=6), st.sampled_from([None, 1]))
def test_every_element_of_any_array_is_accounted_for(
    tmp_path: Path, elements: list[object], indent: int | None
) -> None:
    text = json.dumps([GOOD, *elements], indent=indent)
    codes, rejected = codes_and_rejected(tmp_path, text)
    assert len(codes) + len(rejected) == 1 + len(elements)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('{}[]",:1 \n\\untrue'), max_size=40))
def test_any_text_is_read_or_refused_cleanly(tmp_path: Path, text: str) -> None:
    path = write_text(tmp_path / "a.json", "[" + text)
    try:
        products, _ = read_all(path)
    except InputError:
        products = []
    assert products == []
