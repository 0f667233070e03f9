"""Every command that a page has an operator type is one that there is, with the options that it has."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from deploy.cli.app import app
from tests.support.isolated import ROOT

PAGES = sorted([*(ROOT / "docs" / "runbooks").glob("*.md"), ROOT / "docs" / "operating.md", ROOT / "docs" / "operations.md"])
_COMMAND = re.compile(r"(?:^|`|-- |api |setup )helpdesk ((?:-{0,2}[a-z][^`\n#;|]*))", re.MULTILINE)


def commands_of(page: Path) -> list[str]:
    return [found.strip() for found in _COMMAND.findall(page.read_text().partition("\n## Rehearsed")[0])]


def parse(words: list[str]) -> None:
    """As the command line would, up to the point where it would act. Raises click's errors."""
    command = typer.main.get_command(app)
    context = command.make_context("helpdesk", words[:1], resilient_parsing=True)
    while subcommands := getattr(command, "commands", None):
        name, *words = words
        assert name in subcommands, name
        command = subcommands[name]
    command.make_context("helpdesk", words, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_on_a_page_exist(page: Path) -> None:
    for command in commands_of(page):
        parse(shlex.split(command))


def test_commands_are_found_on_the_pages() -> None:
    assert sum(len(commands_of(page)) for page in PAGES) > 15


def test_a_command_that_does_not_exist_is_noticed() -> None:
    parse(["jobs", "pause", "7", "--merchant", "demo"])
    with pytest.raises(AssertionError):
        parse(["jobs", "hold", "7"])
    with pytest.raises(Exception, match="--every"):
        parse(["outbox", "--every", "7"])
