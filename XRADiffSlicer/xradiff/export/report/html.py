"""Small pieces of HTML: escaped text, tables, pictures as data."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from ..words import title_of, value_in_words

__all__ = ["bullets", "facts", "figure", "section", "table", "text"]


def text(value: object) -> str:
    """Return `value` in words, escaped."""
    return escape(value_in_words(value))


def section(name: str, title: str, *parts: str) -> str:
    """Return a titled section; empty parts are left out."""
    return (
        f'<section id="{name}"><h2>{escape(title)}</h2>\n' + "\n".join(part for part in parts if part) + "</section>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 1, facts: bool = False) -> str:
    """Return a table; cells are HTML, columns from `numbers_from` on are aligned to the right.

    `facts` makes it as narrow as its contents.
    """

    def kind(column: int) -> str:
        return ' class="number"' if column >= numbers_from else ""

    kind_of_table = ' class="facts"' if facts else ""
    top = "".join(f'<th scope="col"{kind(i)}>{escape(name)}</th>' for i, name in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{kind(i)}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>\n" for row in rows
    )
    whole = f"<table{kind_of_table}><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>"
    return f'<div class="scroll">{whole}</div>'


def facts(values: Mapping[str, object], names: Mapping[str, str] | None = None) -> str:
    """Return a two-column table of names and values; a mapping inside is spread over its own rows."""
    rows = []
    for key, value in values.items():
        title = (names or {}).get(key, title_of(key))
        if isinstance(value, Mapping):
            rows += [(f"{title}: {title_of(str(inner)).lower()}", entry) for inner, entry in value.items()]
        else:
            rows.append((title, value))
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{text(value)}</td></tr>\n' for name, value in rows)
    return f'<div class="scroll"><table class="facts"><tbody>{body}</tbody></table></div>' if rows else ""


def bullets(sentences: Iterable[object]) -> str:
    """Return a list, one sentence each; nothing for none."""
    items = "".join(f"<li>{text(sentence)}</li>" for sentence in sentences)
    return f'<ul class="plain">{items}</ul>' if items else ""


def figure(path: Path, alternative: str, caption: str) -> str:
    """Return the PNG at `path` as a figure that holds its data; `caption` is HTML."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = f'<img alt="{escape(alternative)}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
