"""Which parameters each family of models accepts and how it counts pictures: the one table, read by
everything that depends on the model.

`providers/requests` builds bodies by it, `image_tokens.py` counts pictures, `service` warns of
shutdown dates. A model that is not in the table gets `UNKNOWN`: few optional parameters are sent,
and the server's refusals show the rest.

Sources (docs/decisions/0025 says when they were seen):
https://developers.openai.com/api/docs/models/gpt-6-luna · …/docs/deprecations ·
…/docs/guides/prompt-caching · …/docs/guides/flex-processing · …/docs/guides/fast-mode ·
https://github.com/openai/openai-cookbook/blob/main/examples/Prompt_Caching_201.ipynb (batches) ·
…/docs/guides/deployment-checklist (temperature) · …/docs/guides/images-vision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_FACTOR: Final = 0.5
"""Factor on the standard price for a request of the Batch API, whatever the model:
https://help.openai.com/en/articles/9197833-batch-api-faq
"""
NONE: Final = "none"
"""The reasoning effort at which a model writes no hidden reasoning tokens."""


@dataclass(frozen=True, slots=True)
class Patches:
    """A picture takes `factor` tokens for each 32 px patch, after it was shrunk to `long_px` on its
    longer side and then to at most `most` patches.
    """

    factor: float
    most: int
    long_px: int = 2_048


@dataclass(frozen=True, slots=True)
class Tiles:
    """A picture takes `base` tokens, and `per_tile` tokens for each 512 px tile."""

    base: int
    per_tile: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """When the provider takes the model away, and what it recommends in its place."""

    on: date
    successor: str | None = None


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """One family of models.

    `efforts` are the values of `reasoning_effort` that it accepts; empty: the parameter is not
    sent. `effort` is the value that is sent when the user has set none. `reasons_unasked`: without
    the parameter it writes hidden reasoning tokens. `tiers` holds, for the service tiers whose
    price is published, the factor on the standard price.
    """

    images: Patches | Tiles
    context_tokens: int | None = None
    output_tokens: int | None = None
    efforts: tuple[str, ...] = ()
    effort: str | None = None
    reasons_unasked: bool = False
    takes_temperature: bool = True
    takes_verbosity: bool = False
    marks_cached_prefix: bool = False  # caches up to a marked block, and bills what it writes
    caches_in_batches: bool = False  # its batches read the prompt cache; false before GPT-5
    tiers: Mapping[str, float] = field(default_factory=dict)
    image_detail: str | None = None
    shutdown: Shutdown | None = None

    def effort_for(self, wanted: str | None) -> str | None:
        """The reasoning effort to send: the user's, else this family's `effort`."""
        return wanted or self.effort

    def accepts_temperature(self, effort: str | None) -> bool:
        """Whether a temperature may be sent with this effort: with reasoning it is refused."""
        return self.takes_temperature and effort in {None, NONE}


_GPT_6: Final = ("none", "low", "medium", "high", "xhigh", "max")
_ALL_TIERS: Final = MappingProxyType({"flex": 0.5, "priority": 2.0, "fast": 2.0})
_FLEX: Final = MappingProxyType({"flex": 0.5})
_JANUARY: Final = Shutdown(date(2027, 1, 14), "gpt-6-luna")


def _at_effort_none(images: Patches | Tiles) -> ModelProfile:
    """The profile of GPT-5.6 and GPT-6: they reason at "medium" unless `none` is sent, and cache up
    to marked blocks.
    """
    return ModelProfile(
        images,
        context_tokens=1_050_000,
        output_tokens=128_000,
        efforts=_GPT_6,
        effort=NONE,
        reasons_unasked=True,
        takes_verbosity=True,
        marks_cached_prefix=True,
        caches_in_batches=True,
        tiers=_ALL_TIERS,
        image_detail="high",
    )


def _always_reasoning(
    images: Patches | Tiles,
    lowest: str,
    shutdown: Shutdown | None = None,
    *,
    detail: str | None = None,
) -> ModelProfile:
    """The profile of models whose reasoning cannot be turned off: they get the `lowest` effort, and
    never a temperature.
    """
    efforts = (lowest, "medium", "high") if lowest == "low" else (lowest, "low", "medium", "high")
    return ModelProfile(
        images,
        context_tokens=400_000,
        output_tokens=128_000,
        efforts=efforts,
        effort=lowest,
        reasons_unasked=True,
        takes_temperature=False,
        takes_verbosity=True,
        tiers=_FLEX,
        image_detail=detail,
        shutdown=shutdown,
    )


def _reasoning_if_asked(images: Patches | Tiles, *, detail: str | None = None) -> ModelProfile:
    """The profile of GPT-5.1 to GPT-5.4: they reason only if an effort is sent."""
    return ModelProfile(
        images,
        context_tokens=400_000,
        output_tokens=128_000,
        efforts=("none", "low", "medium", "high", "xhigh"),
        effort=NONE,
        takes_temperature=False,
        takes_verbosity=True,
        tiers=_FLEX,
        image_detail=detail,
    )


def _without_reasoning(images: Patches | Tiles, context: int, output: int) -> ModelProfile:
    return ModelProfile(images, context, output, shutdown=_JANUARY)


UNKNOWN: Final = ModelProfile(Patches(1.72, 1_536))

# Sizes are those of detail "high", which is asked for wherever leaving it out means "original":
# up to 30,000 patches. Of GPT-6 the guide lists Astra alone; the others are taken to count as it
# does. What was really charged is settled after the call.
_GPT_6_PICTURES: Final = Patches(1.2, 2_500, 65_535)
_GPT_5_4_PICTURES: Final = Patches(1.2, 2_500)
_MINI_PICTURES: Final = Patches(1.2, 6_144)

PROFILES: Final[dict[str, ModelProfile]] = {
    "gpt-6-luna": _at_effort_none(_GPT_6_PICTURES),
    "gpt-6-sol": _at_effort_none(_GPT_6_PICTURES),
    "gpt-6.1-terra": _at_effort_none(_GPT_6_PICTURES),
    "gpt-6": _always_reasoning(_GPT_6_PICTURES, "low", detail="high"),
    "gpt-5.6": _at_effort_none(_GPT_5_4_PICTURES),
    "gpt-5.5": _always_reasoning(_GPT_5_4_PICTURES, "low", detail="high"),
    "gpt-5.4": _reasoning_if_asked(_GPT_5_4_PICTURES, detail="high"),
    "gpt-5.2": _reasoning_if_asked(_MINI_PICTURES),
    "gpt-5.1": _reasoning_if_asked(Tiles(70, 140)),
    "gpt-5.": _always_reasoning(_MINI_PICTURES, "low"),
    "gpt-5-mini": _always_reasoning(
        _MINI_PICTURES, "minimal", Shutdown(date(2026, 12, 11), "gpt-6.1-terra")
    ),
    "gpt-5-nano": _always_reasoning(
        Patches(1.5, 6_144), "minimal", Shutdown(date(2026, 12, 11), "gpt-6-luna")
    ),
    "gpt-5": _always_reasoning(
        Tiles(70, 140), "minimal", Shutdown(date(2026, 12, 11), "gpt-6.1-sol")
    ),
    "gpt-4.1-nano": ModelProfile(
        Patches(2.46, 1_536),
        1_047_576,
        32_768,
        shutdown=Shutdown(date(2026, 10, 23), "gpt-5.6-luna"),
    ),
    "gpt-4.1-mini": _without_reasoning(Patches(1.62, 6_144), 1_047_576, 32_768),
    "gpt-4.1": _without_reasoning(Tiles(85, 170), 1_047_576, 32_768),
    "gpt-4o-mini": _without_reasoning(Tiles(2833, 5667), 128_000, 16_384),
    "gpt-4o": _without_reasoning(Tiles(85, 170), 128_000, 16_384),
    "gpt-4.5": ModelProfile(Tiles(85, 170)),
    "o1": _always_reasoning(Tiles(75, 150), "low", Shutdown(date(2026, 10, 23), "gpt-5.6-sol")),
    "o3": _always_reasoning(Tiles(75, 150), "low", Shutdown(date(2026, 12, 11), "gpt-5.6-sol")),
    "o4-mini": _always_reasoning(
        Patches(1.72, 1_536), "low", Shutdown(date(2026, 10, 23), "gpt-5.6-terra")
    ),
    "computer-use-preview": ModelProfile(Tiles(65, 129)),
}
"""The profile of each model, by the beginning of its name; of several that match, the longest
counts.
"""


def profile_of(model: str) -> ModelProfile:
    """The profile of a model's family, or `UNKNOWN`.

    Fine-tuned (`ft:…`), dated and prefixed (`openai/…`) names are recognised.
    """
    name = model.removeprefix("ft:").rpartition("/")[2]
    known = [prefix for prefix in PROFILES if name.startswith(prefix)]
    return PROFILES[max(known, key=len)] if known else UNKNOWN
