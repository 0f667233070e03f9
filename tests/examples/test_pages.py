"""The pages for users: what they link to is there, and what is drawn is drawn by the script beside it."""

import re
from pathlib import Path

import pytest

from docs.images import ticket_life

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CHANGELOG.md", "docs/benchmarks.md")


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_a_page_links_to_is_there(page: str) -> None:
    file = ROOT / page
    targets = re.findall(r'(?:\]\(|src(?:set)?=")([^)"#]+)', file.read_text())
    assert targets
    assert not [target for target in targets if "://" not in target and not (file.parent / target).exists()]


@pytest.mark.parametrize(("name", "colours"), [("light", ticket_life.LIGHT), ("dark", ticket_life.DARK)])
def test_the_pictures_are_what_their_script_draws(name: str, colours: ticket_life.Palette) -> None:
    assert (ROOT / "docs" / "images" / f"ticket-life-{name}.svg").read_text() == ticket_life.picture(colours)
