"""Draw the picture of a ticket's life, once for light pages and once for dark ones: ``python docs/images/ticket_life.py``.

Time runs from left to right in eight columns; each lane shows one participant. Standard library only, generic fonts only.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 980, 574
LEFT, RIGHT = 16, 964
COLUMN = (RIGHT - LEFT) / 8
CARD = COLUMN - 10
"""The width of what stands in one column."""


class Palette(NamedTuple):
    text: str
    muted: str
    lane: str
    card: str
    line: str
    blue: str
    green: str
    amber: str
    red: str


LIGHT = Palette("#1f2328", "#59636e", "#f6f8fa", "#ffffff", "#c8d1da", "#0969da", "#1a7f37", "#9a6700", "#cf222e")
DARK = Palette("#f0f6fc", "#9198a1", "#151b23", "#0d1117", "#3d444d", "#4493f8", "#3fb950", "#d29922", "#f85149")

DESCRIPTION = (
    "A reporter opens a ticket through the REST API. One transaction writes the ticket, its audit, its clocks and the outbox. "
    "The relay starts the ticket's workflow, which holds one durable timer for the next deadline. The ticket is assigned to an agent. "
    "At 75 percent of the resolution target level 1 notifies; at 100 percent the target is breached and level 2 reassigns to a senior; "
    "at 125 percent level 3 reassigns to the lead. The lead replies and resolves, the survey goes out and is answered, the ticket closes."
)

INSTANTS = ("opened", "", "75 %", "100 %", "125 %", "", "a while later", "days later")
PEOPLE = {0: ("Rita opens", "POST /tickets"), 5: ("Lars replies", "and resolves"), 6: ("Rita answers", "the survey")}
WRITTEN = (
    ("blue", "opened", ("ticket, audit,", "clocks, outbox")),
    ("blue", "assigned", ("to the least", "loaded agent")),
    ("amber", "at risk", ("level 1", "notifies")),
    ("red", "breached", ("level 2 assigns", "a senior")),
    ("red", "level 3", ("assigns", "the lead")),
    ("green", "resolved", ("clocks stop,", "survey is due")),
    ("green", "survey", ("one signed link,", "one answer")),
    ("green", "closed", ("auto-close ends", "the workflow")),
)
TIMERS = (2, 3, 4, 6, 7)
"""The columns in which the workflow's timer fires."""
NEWS = {0: "relay starts", 5: "relay signals"}
OWNERS = (
    ("muted", 0.0, 1.5, "queue"),
    ("blue", 1.5, 3.5, "Ana, agent"),
    ("amber", 3.5, 4.5, "Sina, senior"),
    ("red", 4.5, 8.0, "Lars, lead"),
)
EMAILS = (("to Rita",), ("to Ana",), ("to Ana, Lars",), ("to Ana, Sina,", "Lars"), ("to Sina, Lars",), ("to Rita",), ("to Rita",), ())


def middle(column: float) -> float:
    return LEFT + COLUMN * (column + 0.5)


def picture(colours: Palette) -> str:
    lines = [*head(colours), *lanes(), *time_axis(), *people(), *transactions(), *workflow(), *owners(), *emails(), *titles(), "</svg>", ""]
    return "\n".join(lines)


def head(colours: Palette) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc">'
    yield '<title id="title">The life of a ticket</title>'
    yield f'<desc id="desc">{DESCRIPTION}</desc>'
    yield "<style>"
    yield f"text {{ font: 13px system-ui, -apple-system, sans-serif; fill: {colours.text}; }}"
    yield f".muted {{ fill: {colours.muted}; font-size: 12px; }}"
    yield f".title {{ fill: {colours.muted}; font-size: 12.5px; font-weight: 600; }}"
    yield f".title {{ paint-order: stroke; stroke: {colours.lane}; stroke-width: 6; }}"
    yield ".strong { font-weight: 600; }"
    yield ".code { font: 12px ui-monospace, monospace; }"
    yield f".lane {{ fill: {colours.lane}; }}"
    yield f".card {{ fill: {colours.card}; stroke: {colours.line}; }}"
    yield f".line {{ stroke: {colours.muted}; stroke-width: 1.4; fill: none; }}"
    yield f".wait {{ stroke: {colours.line}; stroke-width: 2; stroke-dasharray: 2 5; stroke-linecap: round; }}"
    yield f".tip {{ fill: {colours.muted}; }}"
    for name in ("muted", "blue", "green", "amber", "red"):
        yield f".{name}-bar {{ fill: {getattr(colours, name)}; }}"
        yield f".{name}-tint {{ fill: {getattr(colours, name)}; fill-opacity: 0.16; stroke: {getattr(colours, name)}; }}"
    yield "</style>"
    yield '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    yield '<path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'


def lanes() -> Iterator[str]:
    for top, height in ((34, 90), (132, 124), (278, 110), (396, 72), (476, 90)):
        yield f'<rect class="lane" x="{LEFT - 8}" y="{top}" width="{RIGHT - LEFT + 16}" height="{height}" rx="8"/>'


def titles() -> Iterator[str]:
    """After the arrows: where a title and an arrow meet, the title wins."""
    yield title(53, "People, through the REST API: Rita reports, Lars leads the team")
    yield title(152, "PostgreSQL: each change is one transaction, outbox included")
    yield title(
        379, "Temporal: the ticket's workflow has one durable timer; each activity locks the ticket and checks again before it acts"
    )
    yield title(415, "Owner")
    yield title(495, "E-mails, stored with the change that caused them")


def time_axis() -> Iterator[str]:
    for column, instant in enumerate(INSTANTS):
        if instant:
            yield text(middle(column), 16, instant, "muted")
    yield text(middle(3), 30, "of the resolution target", "muted")


def people() -> Iterator[str]:
    for column, (first, second) in PEOPLE.items():
        yield card(column, 62, 46)
        yield text(middle(column), 81, first, "strong")
        yield text(middle(column), 99, second, "code" if "/" in second else "")
        yield arrow(middle(column), 108, 164)


def transactions() -> Iterator[str]:
    for column, (colour, title, details) in enumerate(WRITTEN):
        yield card(column, 166, 76)
        yield f'<rect class="{colour}-bar" x="{middle(column) - CARD / 2:g}" y="166" width="{CARD:g}" height="4" rx="2"/>'
        yield text(middle(column), 190, title, "strong")
        for row, detail in enumerate(details):
            yield text(middle(column), 210 + 17 * row, detail, "muted")


def workflow() -> Iterator[str]:
    yield f'<rect class="blue-tint" x="{middle(0) - CARD / 2:g}" y="308" width="{middle(7) - middle(0) + CARD:g}" height="52" rx="8"/>'
    yield f'<line class="wait" x1="{middle(0) + 46:g}" y1="334" x2="{middle(7) - 26:g}" y2="334"/>'
    yield text(middle(0), 338, "starts", "strong")
    yield text(middle(1), 329, "context,", "muted")
    yield text(middle(1), 346, "assignment", "muted")
    yield text(middle(5), 329, "adopts the", "muted")
    yield text(middle(5), 346, "newer facts", "muted")
    for column, label in NEWS.items():
        yield arrow(middle(column), 242, 306)
        yield text(middle(column) + 8, 297, label, "muted", "start")
    for column in (1, *TIMERS):
        yield arrow(middle(column), 308, 244)
    for column in TIMERS:
        yield from clock(middle(column), 334)


def clock(x: float, y: int) -> Iterator[str]:
    yield f'<circle class="card" cx="{x:g}" cy="{y}" r="15"/>'
    yield f'<circle class="line" cx="{x:g}" cy="{y}" r="11"/>'
    yield f'<path class="line" d="M{x:g} {y - 7}V{y}h5"/>'


def owners() -> Iterator[str]:
    for colour, first, end, name in OWNERS:
        start, width = LEFT + COLUMN * first + 5, COLUMN * (end - first) - 4
        width -= 6 if end == len(INSTANTS) else 0
        yield f'<rect class="{colour}-tint" x="{start:g}" y="424" width="{width:g}" height="32" rx="6"/>'
        yield text(start + width / 2, 445, name, "strong")


def emails() -> Iterator[str]:
    kinds = ("received", "assigned", "level 1", "level 2", "level 3", "reply, resolved", "survey", "")
    for column, (kind, recipients) in enumerate(zip(kinds, EMAILS, strict=True)):
        yield text(middle(column), 518, kind)
        for row, line in enumerate(recipients):
            yield text(middle(column), 536 + 16 * row, line, "muted")


def title(y: int, words: str) -> str:
    return text(LEFT + 4, y, words, "title", "start")


def card(column: int, top: int, height: int) -> str:
    return f'<rect class="card" x="{middle(column) - CARD / 2:g}" y="{top}" width="{CARD:g}" height="{height}" rx="6"/>'


def arrow(x: float, start: int, end: int) -> str:
    return f'<line class="line" x1="{x:g}" y1="{start}" x2="{x:g}" y2="{end}" marker-end="url(#tip)"/>'


def text(x: float, y: int, words: str, kind: str = "", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y}" text-anchor="{anchor}">{words}</text>'


def main() -> None:
    for name, colours in {"light": LIGHT, "dark": DARK}.items():
        (FOLDER / f"ticket-life-{name}.svg").write_text(picture(colours))


if __name__ == "__main__":
    main()
