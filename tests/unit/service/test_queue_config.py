"""What is said of a setting that cannot be used."""

from __future__ import annotations

import pytest

from weighbridge.service.queue import InvalidConfig, check_config


def test_a_value_that_is_nested_too_deeply_to_be_shown_is_refused_like_any_other() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidConfig, match="batchSize is a list; it must be a whole number"):
        check_config({"batchSize": value})
