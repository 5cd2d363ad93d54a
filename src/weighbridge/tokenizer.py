"""The vocabulary of OpenAI's models since GPT-4o, loaded on first use.

Only the compiled part of bpe-openai is loaded, in 0.2 s and 67 MB. Its Python package would take
another 77 MB and a second for this vocabulary and two more in dictionaries that nobody needs here.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Final, Protocol

ENCODING: Final = "o200k_base"


class Tokenizer(Protocol):
    """A vocabulary of the compiled part."""

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        ...

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        ...

    def decode(self, tokens: list[int]) -> str:
        """Their text. Raises ValueError where a character is not whole."""
        ...


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """The vocabulary; most commands need no tokens, so it is loaded when first asked for."""
    package = find_spec("bpe_openai")
    compiled = package and PathFinder.find_spec(
        "bpe_openai._bindings", package.submodule_search_locations
    )
    if not compiled or not compiled.loader:
        raise ImportError(
            "The package bpe-openai is not completely installed. Install Weighbridge again."
        )
    module = module_from_spec(compiled)
    compiled.loader.exec_module(module)
    found: Tokenizer = module.tokenizer_for_encoding(ENCODING)
    return found


def count_tokens(text: str) -> int:
    """Tokens of a text; half a surrogate pair, which no encoder takes, counts as U+FFFD."""
    try:
        return tokenizer().count(text)
    except UnicodeEncodeError:
        return tokenizer().count(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
