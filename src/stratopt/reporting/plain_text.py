"""Sections as text for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from stratopt.reporting.document import Block, Bullets, Note, Picture, Section, Table

LONGEST_CELL = 60


def as_text(sections: Sequence[Section]) -> str:
    """Aligned columns, no colours."""
    return "\n".join(line for section in sections for line in _text(section)).rstrip() + "\n"


def _text(section: Section) -> Iterator[str]:
    yield section.title.upper() if not section.folded else section.title
    yield ""
    for block in section.blocks:
        yield from _text_block(block)
    for part in section.parts:
        yield from _text(part)


def _text_block(block: Block) -> Iterator[str]:
    match block:
        case Bullets():
            yield from block.items
        case Note():
            yield block.text
        case Table():
            yield from _aligned(block)
        case Picture():
            return
        case _:
            assert_never(block)
    yield ""


def _aligned(table: Table) -> Iterator[str]:
    rows = [list(map(_one_line, row)) for row in [table.titles, *table.rows]]
    last = len(table.titles) - 1
    widths = [0 if i == last else min(LONGEST_CELL, max(len(row[i]) for row in rows)) for i in range(last + 1)]
    if last in table.numbers:
        widths[last] = max(len(row[last]) for row in rows)
    for row in rows:
        cells = [
            cell.rjust(w) if i in table.numbers else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """Headings, lists and tables; every text is escaped."""
    lines = [f"# {_md(title)}", ""]
    for section in sections:
        lines += _markdown(section, "##")
    return "\n".join(lines).rstrip() + "\n"


def _markdown(section: Section, level: str) -> Iterator[str]:
    yield f"{level} {_md(section.title)}"
    yield ""
    for block in section.blocks:
        yield from _markdown_block(block)
    for part in section.parts:
        yield from _markdown(part, level + "#")


def _markdown_block(block: Block) -> Iterator[str]:
    match block:
        case Bullets():
            yield from (f"- {_md(item)}" for item in block.items)
        case Note():
            yield _md(block.text)
        case Table():
            yield "| " + " | ".join(_md(t) for t in block.titles) + " |"
            yield "|" + "".join(" ---: |" if i in block.numbers else " --- |" for i in range(len(block.titles)))
            yield from ("| " + " | ".join(_md(cell) for cell in row) + " |" for row in block.rows)
        case Picture():
            return
        case _:
            assert_never(block)
    yield ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _md(value: str) -> str:
    text = _one_line(value).replace("\\", "\\\\")
    for mark in "|`*_[]<>#":
        text = text.replace(mark, "\\" + mark)
    return text
