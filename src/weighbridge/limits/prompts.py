"""Detects a server that cuts prompts: it reports the same number of tokens for every call, fewer
than the calls have.

Ollama and others shorten a prompt to their context without an error, and the model answers from
the rest. Our own count is OpenAI's and may be off by a third for other models, so a lower count
alone proves nothing; the evidence is that the server's count is the same whatever is sent. Pure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WELL_BELOW: Final = 0.8
"""A server's count below this share of ours suggests a cut prompt: tokenizers differ by less for
the languages of most catalogues.
"""
CALLS: Final = 4
"""After this many calls in a row for which the server counts the same number of prompt tokens, the
prompts are taken to be cut.
"""
CALLS_AT_ROUND_COUNT: Final = 2
"""As `CALLS`, where the number that the server counts is a usual context size."""
ROUND: Final = 128
"""Usual context sizes are multiples of this."""
DIFFERENT: Final = 8
"""Where the server counts the same for several calls, our own counts of them must differ by at
least this many tokens to prove a cut.
"""


class Counted(NamedTuple):
    """The length of one call's prompt in tokens, by our count and by the server's."""

    ours: int
    theirs: int


class PromptWatch:
    """Watches the replies of one server, and reports once if it cuts prompts."""

    def __init__(self) -> None:
        self._alike: list[Counted] = []
        self._said = False

    def observe(self, ours: int, theirs: int) -> str | None:
        """Compare our count of a prompt with the server's, both in tokens.

        Returns what to tell people as soon as it is certain that the server cuts prompts, and None
        before and afterwards.
        """
        if self._alike and self._alike[0].theirs != theirs:
            self._alike.clear()
        if theirs <= 0:
            return None
        self._alike.append(Counted(ours, theirs))
        cut = [call.ours for call in self._alike if call.theirs < WELL_BELOW * call.ours]
        needed = CALLS if theirs % ROUND else CALLS_AT_ROUND_COUNT
        if self._said or len(cut) < needed or max(cut) - min(cut) < DIFFERENT:
            del self._alike[: -2 * CALLS]
            return None
        self._said = True
        return (
            f"The server may cut prompts at {theirs:,} tokens: it counted {theirs:,} for each of "
            f"the last {len(self._alike)} calls, which have {min(cut):,} to {max(cut):,} by "
            "Weighbridge's count. Raise its context (llama.cpp: -c, Ollama: OLLAMA_CONTEXT_LENGTH, "
            "vLLM: --max-model-len), start the queue again, and ask again about the completed "
            "products (run with --redo)."
        )
