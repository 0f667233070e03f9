"""`make screenshots`: the pictures of docs/operating.md, of a real system with some tickets, and at last without its mail server."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

import httpx

from tests.rehearsals import desk
from tests.rehearsals.browser import BrowserError, Page, browser
from tests.rehearsals.stage import Stage, on_stage, until
from tests.support.isolated import ROOT

FOLDER: Final = ROOT / "docs" / "images"
LIST, TICKET, DELIVERY = (FOLDER / f"temporal-{name}.png" for name in ("list", "ticket", "delivery"))
PAGE: Final = ROOT / "docs" / "operating.md"
OPEN, WAITING = "open tickets of a merchant", "deliveries that wait"
"""Two of the views."""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="screenshots-", ignore_cleanup_errors=True) as folder:
        try:
            with browser(Path(folder)) as page, on_stage(Path(folder) / "stage", MAIL_RETRY_SECONDS="2") as stage:
                _prepare(page)
                desk.seed(stage)
                _pictures(stage, page)
        except BrowserError as error:
            print(f"make screenshots: {error}", file=sys.stderr)
            return 1
    return 0


def views() -> dict[str, str]:
    """The queries that the page recommends, by what each looks for."""
    return dict(re.findall(r"^\| (.+) \| `(.+ = .+|.+ < .+)` \|$", PAGE.read_text(), re.MULTILINE))


def columns() -> list[str]:
    """Of the list, as the page recommends them."""
    return re.findall(r"`(.+?)`", PAGE.read_text().partition("\nColumns of the list, in this order: ")[2].partition("\n")[0])


def _prepare(page: Page) -> None:
    """As the browser of an operator who has followed the page. The names are those under which the UI keeps its choices there."""
    saved = [{"id": name, "name": name, "query": query} for name, query in views().items()]
    page.keep(
        navOpen=False,
        saved_namespace_queries={"default": saved},
        namespace_workflow_table_columns={"default": [{"label": name, "pinned": False} for name in columns()]},
    )


def _pictures(stage: Stage, page: Page) -> None:
    missed, _, ticket = desk.opened(stage, "demo-fast", count=2)[0], *desk.opened(stage, count=2)
    with desk.lead(stage) as lars:
        lars.post(f"/tickets/{ticket}/pending", json={}).raise_for_status()
    until(lambda: desk.ticket(stage, missed)["escalationLevel"], lambda level: level == 3)
    _list(stage, page)
    _card(stage, page, TICKET, f"WorkflowId = 'ticket-{missed}'", "level 3")
    stage.stop_mail()
    desk.opened(stage)
    _card(stage, page, DELIVERY, views()[WAITING], "failed (transient failure")


def _list(stage: Stage, page: Page) -> None:
    view = httpx.QueryParams({"query": views()[OPEN], "savedQuery": OPEN})
    page.size(1400, 600)
    page.show(f"{stage.temporal_ui}/namespaces/default/workflows?{view}", "breached", "pending")
    _save(page, LIST)


def _card(stage: Stage, page: Page, file: Path, query: str, words: str) -> None:
    """Of the workflow that the query finds; ``words`` are what its card has to say."""
    asked = httpx.QueryParams({"query": query})
    found = until(lambda: httpx.get(f"{stage.temporal_ui}/api/v1/namespaces/default/workflows?{asked}").json().get("executions"), bool)
    run = found[0]["execution"]
    page.size(1280, 860)
    page.show(f"{stage.temporal_ui}/namespaces/default/workflows/{run['workflowId']}/{run['runId']}/user-metadata", words)
    _save(page, file)


def _save(page: Page, file: Path) -> None:
    page.picture(file)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
