"""Which parameters a server and its model take: at first those of the model's profile, later
without those that the server refuses.

OpenAI's own models are in the table (`planning/models.py`). Other servers name the parameter that
they refuse: the call is sent again without it, and so are all later ones. The form of the answer
has four steps: a strict schema, a schema, any JSON object with the schema in the prompt, plain text
with the schema in the prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from weighbridge.planning.models import NONE, profile_of
from weighbridge.providers.faults.kinds import SCHEMA_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.providers.faults.evidence import Evidence


class AnswerForm(IntEnum):
    """How the server is told the form of the answer, the most reliable way first."""

    STRICT = 0  # json_schema, strict
    SCHEMA = 1  # json_schema
    OBJECT = 2  # json_object, with the schema in the prompt
    TEXT = 3  # nothing but the schema in the prompt


_REFUSES_PARAMETER: Final = re.compile(
    r"un(?:supported|known|recogni[sz]ed|expected)|not (?:supported|permitted|allowed|recogni[sz]ed|available|valid)|invalid param"
    r"|(?:does not|doesn't|do not|don't) (?:support|accept|allow)|extra_?forbidden|extra (?:inputs|fields|parameter)"
    r"|only (?:the )?default|must be (?:strictly )?(?:positive|greater|in range|between|> ?0|1\b)|strictly positive|out of range"
    r"|is deprecated|(?:invalid|bad) (?:value|input)|input validation error|no longer|is unavailable|too many states|cannot be used",
    re.IGNORECASE,
)
_REFUSING: Final = frozenset({400, 404, 422, 500, 501})
_NO_SYSTEM_ROLE: Final = re.compile(
    r"system (?:role|message|prompt|instruction)s?[^.]{0,30}not (?:supported|allowed|enabled)|only user(?:,| and) (?:assistant|model)"
    r"|roles must alternate|developer instruction is not enabled"
)
"""How chat templates such as Gemma's and Mistral's, and Google's own API for Gemma, refuse a system
message.
"""
_ABOUT_SIZE: Final = re.compile(r"context.?(?:length|window|size)|too (?:long|large)")

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All values of `reasoning_effort`, the cheapest first. Each model family takes some of them."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Which optional parameters are sent with a request, and with which values.

    `effort`, `tier` and `image_detail` are values to send; None leaves the parameter out.
    `refused_effort` is the reasoning effort that was set and that the server refused.
    `form_is_fixed`: the user has set the form of the answer, so it never changes.
    """

    allowance_name: str = "max_completion_tokens"
    sends_temperature: bool = True
    has_system_role: bool = True
    stores: bool = True
    effort: str | None = None
    refused_effort: str | None = None
    tier: str | None = None
    names_cache: bool = False  # prompt_cache_key
    marks_prefix: bool = False  # prompt_cache_breakpoint and prompt_cache_options
    writes_cache: bool = True  # the mark itself; without one nothing is written, nor billed
    image_detail: str | None = None
    form: AnswerForm = AnswerForm.STRICT
    form_is_fixed: bool = False

    def adapted_to(self, evidence: Evidence) -> Capabilities | None:
        """The capabilities to try again with after this refusal; None if it has another cause."""
        if evidence.status not in _REFUSING or not evidence.is_json:
            return None
        text = evidence.searchable
        if _ABOUT_SIZE.search(text):
            return None
        if self.has_system_role and _NO_SYSTEM_ROLE.search(text):
            return replace(self, has_system_role=False)
        return self._without_named(text) or self._with_easier_form(text)

    def _without_named(self, text: str) -> Capabilities | None:
        """The capabilities without (or with another value of) the parameter that a refusal names;
        None if it names none.
        """
        if not _REFUSES_PARAMETER.search(text):
            return None
        if self.allowance_name == "max_completion_tokens" and self.allowance_name in text:
            return replace(self, allowance_name="max_tokens")
        if self.sends_temperature and "temperature" in text:
            return replace(self, sends_temperature=False)
        if self.marks_prefix and re.search(r"prompt_cache_(?:breakpoint|options)", text):
            return replace(self, marks_prefix=False)
        if self.names_cache and "prompt_cache_key" in text:
            return replace(self, names_cache=False)
        if self.effort and re.search(r"reasoning[_.]?effort", text):
            return self._with_other_effort(text)
        if self.image_detail and "detail" in text and "image" in text:
            return replace(self, image_detail=None)
        if self.stores and re.search(r"\bmetadata\b|\bstore\b", text):
            return replace(self, stores=False)
        return None

    def _with_easier_form(self, text: str) -> Capabilities | None:
        return self.with_next_form() if SCHEMA_WORDS.search(text) else None

    def _with_other_effort(self, text: str) -> Capabilities:
        """The capabilities with the lowest effort that the refusal offers, or without an effort if
        it offers none.
        """
        offered = [effort for effort in EFFORTS if f"'{effort}'" in text or f'"{effort}"' in text]
        others = [effort for effort in offered if effort != self.effort]
        effort = others[0] if others else None
        return replace(
            self,
            effort=effort,
            refused_effort=self.refused_effort or self.effort,
            sends_temperature=effort in {None, NONE},
        )

    def effort_notice(self, host: str) -> str | None:
        """A sentence for the operator if the reasoning effort was refused, else None."""
        if self.refused_effort is None:
            return None
        sent = f"{self.effort} is sent instead" if self.effort else "no effort is sent"
        return (
            f"{host} refused the reasoning effort {self.refused_effort}; {sent}, so "
            "reasoning tokens may be billed. Set WEIGHBRIDGE_REASONING_EFFORT to another value."
        )

    def with_next_form(self) -> Capabilities | None:
        """The capabilities with the next form of `AnswerForm`; None after the last one, and where
        the user has set the form.
        """
        if self.form_is_fixed or self.form is AnswerForm.TEXT:
            return None
        return replace(self, form=AnswerForm(self.form + 1))

    def dump(self) -> dict[str, Any]:
        """All fields as plain JSON values, for `recalled`."""
        learned = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**learned, "form": self.form.name.lower()}

    def recalled(self, learned: Mapping[str, Any]) -> Capabilities:
        """These capabilities, corrected by what an earlier process wrote with `dump` for the same
        server and model.

        What the user has set stays.
        """
        was_refused = self.effort is not None and learned.get("refused_effort") == self.effort
        return replace(
            self,
            allowance_name=str(learned.get("allowance_name", self.allowance_name)),
            sends_temperature=self.sends_temperature
            and bool(learned.get("sends_temperature", True)),
            has_system_role=bool(learned.get("has_system_role", True)),
            effort=learned.get("effort") if was_refused else self.effort,
            refused_effort=self.effort if was_refused else None,
            image_detail=learned.get("image_detail") and self.image_detail,
            stores=self.stores and bool(learned.get("stores", True)),
            names_cache=self.names_cache and bool(learned.get("names_cache", True)),
            marks_prefix=self.marks_prefix and bool(learned.get("marks_prefix", True)),
            writes_cache=bool(learned.get("writes_cache", True)),
            form=self.form if self.form_is_fixed else form_named(learned.get("form")) or self.form,
        )


def form_named(name: object) -> AnswerForm | None:
    """The form with this name in lower case, such as "strict"; None for any other value."""
    return next((form for form in AnswerForm if form.name.lower() == name), None)


def capabilities_of(
    model: str,
    *,
    is_openai: bool,
    effort: str | None = None,
    tier: str | None = None,
    form: str | None = None,
) -> Capabilities:
    """The capabilities to begin with, before the server has answered.

    `effort`, `tier` and `form` are what the user set. Keys and marks of the prompt cache are sent
    to OpenAI only.
    """
    profile = profile_of(model)
    sent_effort = profile.effort_for(effort)
    return Capabilities(
        sends_temperature=profile.accepts_temperature(sent_effort),
        effort=sent_effort,
        tier=tier if tier not in {None, "default"} else None,
        names_cache=is_openai,
        marks_prefix=is_openai and profile.marks_cached_prefix,
        image_detail=profile.image_detail,
        form=form_named(form) or AnswerForm.STRICT,
        form_is_fixed=form_named(form) is not None,
    )
