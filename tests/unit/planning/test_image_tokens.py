"""Tokens of pictures: the examples of OpenAI's guide, and what must hold for any size."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.planning.image_tokens import image_tokens, most_image_tokens
from weighbridge.planning.models import PROFILES, UNKNOWN, profile_of


# https://developers.openai.com/api/docs/guides/images-vision, read on 27 November 2026. What it
# works out itself: the first five, of GPT-6 Astra and, in its earlier edition, of GPT-5.4, at
# detail "high". The tiles are those of still earlier ones. The others were worked out by people who
# measured or recomputed them, each by the guide's steps:
# https://huggingface.co/datasets/JOHNISKING/image-token-cost has the photographs.
@pytest.mark.parametrize(
    ("width_px", "height_px", "model", "tokens"),
    [
        pytest.param(1024, 1024, "gpt-6-astra", 1229, id="Astra: 1,024 patches × 1.2"),
        pytest.param(2048, 2048, "gpt-6-astra", 3000, id="Astra: shrunk to 2,500 patches × 1.2"),
        pytest.param(4096, 512, "gpt-6-astra", 2458, id="Astra: as it is, 128 × 16 patches × 1.2"),
        pytest.param(1024, 1024, "gpt-5.4", 1229, id="1,024 patches × 1.2"),
        pytest.param(2048, 2048, "gpt-5.4", 3000, id="shrunk to 1600 × 1600: 2,500 patches × 1.2"),
        pytest.param(6000, 6000, "gpt-5.6-sol", 3000, id="2,500 patches where high is asked for"),
        pytest.param(2560, 1440, "gpt-5.6-luna", 2765, id="2048 px first: 64 × 36 patches × 1.2"),
        pytest.param(2560, 1440, "gpt-6-luna", 2931, id="shrunk to 66 × 37 patches × 1.2"),
        pytest.param(1920, 1080, "gpt-6-luna", 2448, id="60 × 34 patches × 1.2"),
        pytest.param(4032, 3024, "gpt-6-astra", 2942, id="a photograph of 12 megapixels"),
        pytest.param(6400, 1440, "gpt-6-astra", 2843, id="shrunk to 103 × 23 patches × 1.2"),
        pytest.param(1024, 1024, "gpt-4.1-mini", 1659, id="1,024 patches × 1.62"),
        pytest.param(1800, 2400, "gpt-4.1-mini", 4977, id="shrunk to 48 × 64 patches × 1.62"),
        pytest.param(1800, 2400, "gpt-4.1-nano", 3572, id="shrunk to 33 × 44 patches × 2.46"),
        pytest.param(128, 64, "o4-mini", 14, id="8 patches × 1.72"),
        pytest.param(1024, 1024, "gpt-4o", 765, id="four tiles"),
        pytest.param(2048, 4096, "gpt-4.1", 1105, id="shrunk to six tiles"),
        pytest.param(128, 64, "gpt-4o", 255, id="small pictures are not enlarged"),
        pytest.param(1025, 769, "gpt-4o", 765, id="the longer side is rounded down: 1023 px"),
        pytest.param(128, 64, "gpt-4o-mini", 8500, id="the dear one"),
        pytest.param(512, 512, "gpt-5", 210, id="one tile of GPT-5"),
        pytest.param(512, 512, "gpt-5.1", 210, id="one tile of GPT-5.1"),
    ],
)
def test_matches_the_examples_of_openais_guide(
    width_px: int, height_px: int, model: str, tokens: int
) -> None:
    assert image_tokens(width_px, height_px, model) == tokens


# The guide's square of 1,024 × 1,024 pixels: 1,024 patches, or four tiles once it is 768 × 768.
SQUARE: Final = {
    **dict.fromkeys(("gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra", "gpt-6"), 1229),
    **dict.fromkeys(("gpt-5.6", "gpt-5.5", "gpt-5.4", "gpt-5.2", "gpt-5."), 1229),
    "gpt-5-mini": 1229,
    "gpt-5-nano": 1536,
    "gpt-4.1-mini": 1659,
    "gpt-4.1-nano": 2520,
    **dict.fromkeys(("gpt-4.1", "gpt-4o", "gpt-4.5"), 765),
    **dict.fromkeys(("o1", "o3"), 675),
    **dict.fromkeys(("gpt-5", "gpt-5.1"), 630),
    "gpt-4o-mini": 25_501,
    "o4-mini": 1762,
    "computer-use-preview": 581,
}


def test_every_family_counts_the_guides_square_as_published() -> None:
    assert {family: image_tokens(1024, 1024, family) for family in PROFILES} == SQUARE


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("ft:gpt-4.1-nano-2025-04-14:acme::abc", "gpt-4.1-nano"),
    ],
)
def test_models_are_matched_by_name_prefix(model: str, family: str) -> None:
    assert profile_of(model) == PROFILES[family]


def test_an_unknown_model_is_counted_by_patches() -> None:
    assert profile_of("llava-7b") == UNKNOWN


sizes = st.integers(1, 20_000)


@given(sizes, sizes, st.sampled_from([*PROFILES, "unknown"]))
def test_every_picture_has_a_bounded_positive_cost(
    width_px: int, height_px: int, model: str
) -> None:
    most = most_image_tokens(model)
    assert 1 <= image_tokens(width_px, height_px, model) <= most <= 2833 + 8 * 5667


@given(sizes, sizes)
def test_a_picture_on_its_side_costs_about_the_same(width_px: int, height_px: int) -> None:
    assert image_tokens(width_px, height_px, "gpt-4o") == image_tokens(
        height_px, width_px, "gpt-4o"
    )
    assert image_tokens(width_px, height_px, "o4-mini") <= 1536 * 1.72 + 1
