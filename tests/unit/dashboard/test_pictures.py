"""Figures as pictures."""

from __future__ import annotations

from weighbridge.dashboard.pictures import bins, range_bars


def test_ranges_share_one_logarithmic_scale() -> None:
    bars = range_bars([("product", 1.0, 10.0, 100.0), ("route", 0.1, 1.0, 1000.0)])
    assert [bar.label for bar in bars] == ["product", "route"]
    assert bars[1].low_at < bars[0].low_at == bars[1].figure_at < bars[0].figure_at
    assert bars[1].high_at == max(bar.high_at for bar in bars) < 1
    assert range_bars([("nothing", 0.0, 0.0, 0.0)]) == []


def test_a_distribution_has_no_gaps() -> None:
    columns = bins({-1: 3, 2: 1})
    assert [column.count for column in columns] == [3, 0, 0, 1]
    assert [column.label for column in columns] == ["0.32–1", "1–3.2", "3.2–10", "10–32"]
    assert bins({}) == []
