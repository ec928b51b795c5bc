"""What a report says, independent of its format: sections of bullets, tables, pictures and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Bullets:
    """Sentences, one after the other."""

    items: Sequence[str]
    kind: str = "bullets"


@dataclass(frozen=True, kw_only=True)
class Note:
    """One explaining sentence."""

    text: str
    kind: str = "note"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of texts under titles; ``numbers`` are the columns that hold numbers, the others hold words."""

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: range = range(0)
    kind: str = "table"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawing with its caption; formats without pictures leave it out."""

    svg: Markup
    caption: str
    kind: str = "picture"


Block: TypeAlias = Bullets | Note | Table | Picture


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part with a title; ``folded`` ones open on a click where the format can."""

    name: str
    title: str
    blocks: Sequence[Block]
    folded: bool = False
    parts: Sequence[Section] = field(default_factory=tuple)
