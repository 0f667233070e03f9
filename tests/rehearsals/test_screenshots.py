"""The pictures of docs/operating.md, and what makes them."""

import re
from pathlib import Path

import pytest

from models.tickets.search_attributes import TYPES
from tests.rehearsals.browser import BrowserError, browser
from tests.rehearsals.screenshots import DELIVERY, LIST, OPEN, PAGE, TICKET, WAITING, columns, views

PICTURES = (LIST, TICKET, DELIVERY)


def test_without_a_browser_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match="install Chromium"), browser(tmp_path):
        pass


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_a_picture_is_small_and_the_page_says_what_it_shows(file: Path) -> None:
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size < 200_000
    shown = re.search(rf"!\[(.+)\]\(images/{file.name}\)", PAGE.read_text())
    assert shown is not None
    assert len(shown[1]) > 40


def test_what_is_prepared_is_what_the_page_recommends() -> None:
    assert {OPEN, WAITING} <= views().keys()
    assert len(views()) == 8
    own = [name for name in columns() if name.startswith("Helpdesk")]
    assert len(own) > 3
    assert set(own) <= TYPES.keys()
    used = {name for query in views().values() for name in re.findall(r"Helpdesk\w+", query)}
    assert used <= TYPES.keys()
