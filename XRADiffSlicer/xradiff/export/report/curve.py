"""The calibration's search curve as an inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..words import number

__all__ = ["curve_svg"]

WIDTH, HEIGHT = 640, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 44


def curve_svg(curve: Mapping[str, object], found_mm: float | None = None) -> str:
    """Return the plot of a search, "" when it holds no curve.

    Args:
        curve: shifts under "shift_mm" (or "tau_mm"), as many numbers under "share" (or "score");
            entries of None are left out.
        found_mm: where the search ended, marked; where None, nothing is.
    """
    shifts = next((curve[key] for key in ("shift_mm", "tau_mm") if key in curve), None)
    name = next((key for key in ("share", "score") if key in curve), "")
    values = curve.get(name)
    if not isinstance(shifts, (list, tuple)) or not isinstance(values, (list, tuple)) or len(shifts) != len(values):
        return ""
    pairs = [(x, y) for x, y in zip(shifts, values, strict=True) if _is_number(x) and _is_number(y)]
    points = np.array(sorted(pairs), dtype=float).reshape(-1, 2)
    if len(points) < 2 or points[0, 0] == points[-1, 0]:
        return ""
    return _plot(points, found_mm, {"share": "share of votes"}.get(name, name))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _plot(points: NDArray[np.float64], found_mm: float | None, name: str) -> str:
    """Return the SVG of (N, 2) sorted points."""
    (x0, x1), (y0, y1) = (points[0, 0], points[-1, 0]), (points[:, 1].min(), points[:, 1].max())
    y1 = y1 if y1 > y0 else y0 + 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    line = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)
    base, top = HEIGHT - BOTTOM, TOP
    parts = [f'<path class="axis" d="M{LEFT} {top}V{base}H{WIDTH - RIGHT}"/>']
    for x in _ticks(x0, x1):
        across = place(x, y0)[0]
        parts.append(f'<path class="axis" d="M{across:.1f} {base}v5"/>')
        label = f"{x:g}".replace("-", "\u2212")
        parts.append(f'<text x="{across:.1f}" y="{base + 19}" text-anchor="middle">{label}</text>')
    for y in (y0, y1):
        parts.append(f'<text x="{LEFT - 8}" y="{place(x0, y)[1] + 4:.1f}" text-anchor="end">{y:.3g}</text>')
    parts.append(f'<polyline class="line" points="{line}"/>')
    if found_mm is not None and x0 <= found_mm <= x1:
        across = place(found_mm, y0)[0]
        anchor = "end" if across > 0.8 * WIDTH else "start" if across < 0.2 * WIDTH else "middle"
        parts.append(f'<path class="mark" d="M{across:.1f} {top}V{base}"/>')
        words = f"{number(found_mm)} mm"
        parts.append(f'<text class="found" x="{across:.1f}" y="{top - 9}" text-anchor="{anchor}">{words}</text>')
    parts.append(f'<text x="{LEFT - 46}" y="{top - 11}" text-anchor="start">{name}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    words = "shift across the epipolar planes (mm)"
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{words}</text>')
    label = f"{name} against the shift"
    head = f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
    return head + "".join(parts) + "</svg>"


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers in [low, high], about six."""
    step = 10 ** math.floor(math.log10((high - low) / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 7)
    return [round(k * step, 10) + 0.0 for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
