"""The report's style sheet: light and dark by the reader's setting, and print."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --ink: #16202c; --soft: #566373; --line: #dde2e8; --accent: #0b6aa8;
  --good: #0b6a4f; --good-bg: #ddf3ea; --fair: #7a5200; --fair-bg: #fdf0d0;
  --poor: #a02c10; --poor-bg: #fde4dc; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0e1116; --card: #171b22; --ink: #e6eaf0; --soft: #9aa7b6; --line: #2b323c; --accent: #62b6ee;
  --good: #6fd6b2; --good-bg: #12352b; --fair: #f1c15d; --fair-bg: #3a2d0e;
  --poor: #ff9a7d; --poor-bg: #43190f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 36px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 0 0 14px; }
h3 { font-size: 14px; margin: 22px 0 8px; color: var(--soft); font-weight: 600; }
p { margin: 0 0 10px; max-width: 78ch; }
.soft, figcaption, .note { color: var(--soft); }
.note { font-size: 13.5px; }
.research { display: inline-block; margin-top: 10px; padding: 3px 10px; border: 1px solid var(--line);
  border-radius: 4px; font-size: 13px; color: var(--soft); background: var(--card); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 22px 26px 24px; margin: 18px 0; }
.grade { display: inline-block; padding: 2px 12px; border-radius: 5px; font-weight: 600; margin-right: 10px; }
.good { color: var(--good); background: var(--good-bg); }
.fair { color: var(--fair); background: var(--fair-bg); }
.poor { color: var(--poor); background: var(--poor-bg); }
.lead { font-size: 17px; margin-bottom: 18px; }
.numbers { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 18px 34px;
  margin: 0 0 20px; padding: 16px 0; border: solid var(--line); border-width: 1px 0; }
.numbers dt { font-size: 13px; color: var(--soft); }
.numbers dd { margin: 0; font-size: 22px; font-weight: 600; white-space: nowrap; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.numbers small { display: block; font-size: 12.5px; font-weight: 400; color: var(--soft);
  line-height: 1.4; white-space: normal; }
.scroll { overflow-x: auto; margin-bottom: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }
th, td { padding: 7px 16px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
td.number, th.number { text-align: right; white-space: nowrap; }
table.facts { width: auto; max-width: 100%; }
table.facts th[scope=row] { padding-right: 28px; white-space: nowrap; }
code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 18px; }
figure { margin: 0 0 20px; }
figure img { width: 100%; height: auto; display: block; border-radius: 6px; background: #0e1116; }
figcaption { font-size: 13.5px; margin-top: 7px; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 22px; margin: 0 0 14px; padding: 0; list-style: none;
  font-size: 14px; }
.legend span { display: inline-block; width: 15px; height: 15px; border-radius: 3px; margin-right: 8px;
  vertical-align: -2px; border: 1px solid rgba(127, 127, 127, 0.6); }
.legend .outline { background: #fff; border: 2px solid #8a94a0; height: 6px; border-radius: 0;
  vertical-align: 3px; }
.warn { border-left: 4px solid var(--fair); background: var(--fair-bg); color: var(--ink);
  padding: 9px 14px; border-radius: 0 6px 6px 0; margin: 0 0 14px; max-width: none; }
ul.plain { margin: 0 0 10px; padding-left: 20px; } ul.plain li { margin-bottom: 4px; max-width: 78ch; }
svg.curve { width: 100%; max-width: 640px; height: auto; display: block; margin-bottom: 14px; }
svg.curve text { fill: var(--soft); font-size: 12px; } svg.curve .axis { stroke: var(--line); fill: none; }
svg.curve .line { stroke: var(--accent); stroke-width: 2; fill: none; stroke-linejoin: round; }
svg.curve .mark { stroke: var(--ink); stroke-dasharray: 4 3; }
svg.curve text.found { fill: var(--ink); font-weight: 600; }
footer { padding-bottom: 40px; color: var(--soft); font-size: 13.5px; }
@media print { body { background: #fff; font-size: 12px; } figure { break-inside: avoid; }
  section { border: 0; padding: 8px 0; } }
"""
