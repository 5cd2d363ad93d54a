"""Nothing that must not be seen gets through, and useful words do."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.providers.faults.masking import LONGEST_QUOTE, Masker

KEY = "sk-proj-aVeryS3cretKey_0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-aVery************6789.",
        "Bad header Bearer aVeryS3cretToken",
        "Key aVery****6789 is revoked",
        "cannot reach https://me:aVeryGoodPassword@proxy.example/v1",
        "could not load https://shop.example/a.jpg?signature=aVery",
        "could not decode data:image/png;base64,aVery+aVery==",
    ],
)
def test_keys_passwords_signatures_and_pictures_are_masked(text: str) -> None:
    masked = Masker(KEY).quote(text)
    assert "aVery" not in masked
    assert "…" in masked


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit reached for gpt-4o-mini in organization org-1 on requests per min (RPM): Limit 500, Used 500.",
        "Is this right? Check https://platform.openai.com/account/api-keys.",
        "The task-list model is unknown",
        "[Errno 111] Connection refused",
    ],
)
def test_harmless_words_are_not_masked(text: str) -> None:
    assert Masker(KEY).quote(text) == text


def test_the_configured_key_is_masked_whatever_it_looks_like() -> None:
    assert Masker("correct-horse-battery").mask("wrong: correct-horse-battery") == "wrong: …"
    assert Masker("none").mask("none of these") == "none of these"


def test_a_quote_is_one_short_line() -> None:
    quoted = Masker(KEY).quote("one\n  two\t" + "x" * 1000)
    assert quoted.startswith("one two x")
    assert len(quoted) == LONGEST_QUOTE


@pytest.mark.parametrize("words", [None, 17, ["a"], {"a": "b"}])
def test_binary_content_is_not_quoted(words: object) -> None:
    assert Masker(KEY).quote(words) == ""


@given(st.data())
def test_no_twenty_characters_of_a_prompt_are_ever_quoted(data: st.DataObject) -> None:
    prompt = data.draw(st.text("abcdefgh ", min_size=30, max_size=200))
    start = data.draw(st.integers(0, len(prompt) - 20))
    before, after = data.draw(st.text("xyz", max_size=30)), data.draw(st.text("xyz", max_size=30))
    message = before + prompt[start : start + 20] + after
    quoted = Masker(KEY, (prompt,)).quote(message)
    if " ".join(message.split()) == message:  # blanks are folded before anything is compared
        assert quoted == ""


def test_exceptions_and_their_causes_are_masked() -> None:
    def break_down() -> None:
        try:
            raise ValueError(f"the key was {KEY}")
        except ValueError as cause:
            raise OSError(5, f"and {KEY} again") from cause

    with pytest.raises(OSError, match="again") as caught:
        break_down()
    Masker(KEY).scrub(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.args[0] == 5


def test_a_maskers_repr_shows_no_secret() -> None:
    assert repr(Masker(KEY, ("prompt",))) == "<Masker>"
