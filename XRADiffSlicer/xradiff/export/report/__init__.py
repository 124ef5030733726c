"""report.html: one self-contained page, no scripts, nothing loaded from elsewhere."""

from .page import report_html
from .verdict import verdict

__all__ = ["report_html", "verdict"]
