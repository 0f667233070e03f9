"""A backup is restored into a second cluster, by the commands of docs/operations.md as they are written there."""

from typing import Any

from deploy.local.postgres import EmbeddedPostgres
from models.people.roles import Role
from tests.rehearsals.merchant import Merchant, done, say, until_quiet
from tests.rehearsals.stage import Stage, until
from tests.support.isolated import ROOT


def backup_restored(acme: Merchant) -> None:
    """Raises AssertionError if a workflow does not follow the database, or if something is told twice."""
    stage, kept = acme.stage, acme.opened("Before the backup")
    until_quiet(stage)
    new = EmbeddedPostgres(stage.folder / "second")
    names = {
        "OLD": stage.postgres.url("postgres"),
        "NEW_SERVER": new.url("postgres", "postgres"),
        "NEW": new.url("postgres"),
        "BACKUP": str(stage.folder / "helpdesk.backup"),
    }
    said, gap = _backed_up(acme, kept, names)
    told = len(stage.emails())
    for part in (acme.second_api, stage.api, stage.worker):
        part.stop()
    new.start()
    stage.move_to(new)
    said += stage.shell(typed("Restore"), **names)
    for part in (stage.worker, stage.api, acme.second_api):
        part.start()
    until(lambda: acme.ticket(kept).status_code, lambda status: status == 200)
    with acme.person("ana", Role.AGENT) as ana:
        done(ana.post(f"/tickets/{kept['id']}/resolve", json={}))
    until(lambda: _workflow_says(stage, kept), lambda text: "resolved" in text)
    until_quiet(stage)
    again = [
        mail for mail in stage.emails()[: len(stage.emails()) - told] if "sent after it" in mail.text or "After the backup" in mail.subject
    ]
    assert not again, again
    assert acme.ticket(gap).status_code == 404
    say(
        "A backup is restored",
        said + f"\nthe ticket of the gap: {acme.ticket(gap).status_code}\nthe ticket of the backup: resolved, and its workflow knows\n"
        f"e-mails of the gap that were sent twice: {len(again)}",
    )


def _backed_up(acme: Merchant, kept: dict[str, Any], names: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """What the shell said, and a ticket that the backup does not have. It has an e-mail of which it can't know that it was sent."""
    acme.stage.worker.stop()
    with acme.person("ana", Role.AGENT) as ana:
        done(ana.post(f"/tickets/{kept['id']}/messages", json={"body": "In the backup, and sent after it."}))
    said = acme.stage.shell(typed("Back up"), **names)
    acme.stage.worker.start()
    gap = acme.opened("After the backup")
    until_quiet(acme.stage)
    assert any("sent after it" in mail.text for mail in acme.stage.emails())
    return said, gap


def typed(section: str) -> str:
    """The commands under a heading of docs/operations.md."""
    page = (ROOT / "docs" / "operations.md").read_text()
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return "".join(block.partition("```")[0] for block in text.split("```sh\n")[1:])


def _workflow_says(stage: Stage, ticket: dict[str, Any]) -> str:
    return stage.shell(f"temporal workflow query --workflow-id ticket-{ticket['id']} --type facts")
