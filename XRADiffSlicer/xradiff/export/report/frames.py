"""The section of views that were segmented here: the frame, its mask, the contrast curve, why this frame."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ...datatypes import AngiogramView, SegmentedFrame
from ..content import ResultFolderContent
from .html import facts, figure, section, text

__all__ = ["frames"]

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 26, 40
OF_METHOD = {
    "network": ("weights", "device", "threshold", "certain"),
    "ridge": ("high", "low", "edge", "suppress_catheter"),
}
CAUTION = "Masks made without correction by a person; check that the outline follows the vessels."


def frames(content: ResultFolderContent, folder: Path) -> str:
    """Return the section; nothing where all masks were given."""
    seen = [(number, view, view.segmented) for number, view in enumerate(content.views) if view.segmented is not None]
    parts = [_view(view, how, folder / f"view{number}_mask.png") for number, view, how in seen]
    used = [_used(how.settings) for _, _, how in seen]
    alike = all(settings == used[0] for settings in used)
    for (_, view, _), settings in zip(seen, used[:1] if alike else used, strict=False):
        parts.append(f"<h3>How vessels were found{'' if alike else f' in {escape(view.name)}'}</h3>{facts(settings)}")
    return section("frames", "Frames and masks", f'<p class="note">{CAUTION}</p>', *parts) if parts else ""


def _used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the method looked at."""
    other = OF_METHOD["ridge" if settings.get("method") == "network" else "network"]
    return {name: value for name, value in settings.items() if name not in other}


def _view(view: AngiogramView, how: SegmentedFrame, picture: Path) -> str:
    reason = f"<b>{escape(view.name)}</b>, frame {view.frame} of {len(how.curve)}: {text(how.reason)}."
    shown = figure(picture, f"Frame of {view.name} and its mask", reason)
    return shown + contrast_svg(how, view.frame)


def contrast_svg(how: SegmentedFrame, frame: int) -> str:
    """Return the plot of the contrast curve with the chosen frame marked; "" for one frame."""
    if len(how.curve) < 2 or how.times_ms[-1] <= 0:
        return ""
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    places = [LEFT + time / how.times_ms[-1] * (right - LEFT) for time in how.times_ms]
    points = " ".join(f"{x:.1f},{base - y * (base - TOP):.1f}" for x, y in zip(places, how.curve, strict=True))
    here = places[frame]
    anchor = "end" if here > 0.8 * WIDTH else "start" if here < 0.2 * WIDTH else "middle"
    parts = [
        f'<path class="axis" d="M{LEFT} {TOP}V{base}H{right}"/>',
        f'<text x="{LEFT - 8}" y="{base + 4}" text-anchor="end">0</text>',
        f'<text x="{LEFT - 8}" y="{TOP + 4}" text-anchor="end">1</text>',
        f'<text x="{LEFT}" y="{base + 18}" text-anchor="middle">0</text>',
        f'<text x="{right}" y="{base + 18}" text-anchor="end">{how.times_ms[-1] / 1000:.1f}</text>',
        f'<polyline class="line" points="{points}"/>',
        f'<path class="mark" d="M{here:.1f} {TOP}V{base}"/>',
        f'<text class="found" x="{here:.1f}" y="{TOP - 9}" text-anchor="{anchor}">frame {frame}</text>',
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">time (s)</text>',
        f'<text x="{LEFT - 40}" y="{TOP - 11}">contrast agent</text>' if here > 0.3 * WIDTH else "",
    ]
    head = f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="contrast agent against time">'
    return head + "".join(parts) + "</svg>"
