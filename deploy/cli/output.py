"""What a command writes: a table or a text for people, or JSON."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_FRACTION = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$")
_PIPED = 200
"""Columns, where no terminal says how many it has."""


def show(ctx: typer.Context, data: Any, shown: RenderableType) -> None:
    """``data`` as JSON if that is wanted, else ``shown``."""
    if ctx.obj.as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, default=str))
    elif isinstance(shown, str):
        typer.echo(shown)  # as it is: a console would fold it, and take [brackets] for markup
    else:
        console().print(shown)


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPED, highlight=False)


def table(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], title: str | None = None) -> Table:
    """A column for each heading, with that field of the rows."""
    drawn = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for heading in columns:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(text(row.get(field)) for field in columns.values()))
    return drawn


def facts(row: Mapping[str, Any]) -> Table:
    """One thing: a line for each field."""
    drawn = Table.grid(padding=(0, 2))
    for name, value in row.items():
        drawn.add_row(Text(name, style="bold"), text(value))
    return drawn


def text(value: Any) -> Text:
    """As people read it, an instant to the second. What a person typed may hold terminal commands and markup: neither is carried out."""
    if value is None or value == []:
        return Text("-", style="dim")
    said = ", ".join(map(str, value)) if isinstance(value, list) else value.get("name") if isinstance(value, dict) else value
    said = {True: "yes", False: "no"}[said] if isinstance(said, bool) else str(said)
    said = _FRACTION.sub(r"\1Z", said)
    return Text("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in said))


def note(says: str) -> None:
    """Beside the result, for people."""
    typer.echo(says, err=True)
