"""The whole page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from ..content import DISCLAIMER, ResultFolderContent
from . import sections
from .calibration import calibration
from .frames import frames
from .html import text
from .style import STYLE

__all__ = ["report_html"]


def report_html(content: ResultFolderContent, record: Mapping[str, object], folder: Path, problem: str) -> str:
    """Return the page as text.

    Args:
        content: what the run found out.
        record: the JSON form of it (`run_record`), from which free mappings are shown.
        folder: where the pictures lie; they become part of the page.
        problem: why there are no renderings, "" if there are.
    """
    calibrated = record.get("calibration")
    subtitle = f"{len(content.views)} views, {content.method_title}"
    date = str(content.provenance.get("date", "")).replace("T", " ").replace("+00:00", " UTC")
    body = "\n".join(
        [
            sections.summary(content, folder),
            sections.pictures(content, folder, problem),
            frames(content, folder),
            sections.metrics(content),
            calibration(calibrated if isinstance(calibrated, Mapping) else {}),
            sections.inputs(content),
            sections.method(content),
            sections.provenance(content, record.get("files")),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>3D coronary reconstruction: {escape(content.method_title)}</title>"
        f"<style>{STYLE}</style></head>\n"
        f'<body><header><h1>3D coronary reconstruction</h1><div class="soft">{escape(subtitle)}'
        f'{f", {text(date)}" if date else ""}</div><div class="research">{DISCLAIMER}</div></header>\n'
        f"<main>\n{body}\n</main><footer>XRA-Diff. {DISCLAIMER}</footer></body></html>\n"
    )
