"""Tells a server that cuts prompts: it counts the same tokens for every call, fewer than the calls
hold.

Ollama and others shorten a prompt to their context without a word, and the model answers from what
is left. Our own count is OpenAI's and may be off by a third for other models; that it stays the
same whatever is sent is the evidence. Pure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WELL_BELOW: Final = 0.8
"""Share of our own count; tokenizers differ by less for the languages of most catalogues."""
CALLS: Final = 4
"""Calls in a row with the same count that cannot be a coincidence."""
CALLS_AT_ROUND_COUNT: Final = 2
"""Calls that are enough if the count is a usual size of a context."""
ROUND: Final = 128
DIFFERENT: Final = 8
"""Tokens by which our own counts of these calls must differ at least."""


class Counted(NamedTuple):
    """The prompt of one call, in tokens."""

    ours: int
    theirs: int


class PromptWatch:
    """Watches the replies of one server. Says once what it found."""

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
