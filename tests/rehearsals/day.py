"""`make day`: a day in the life of the system, from nothing; what is printed is in docs/operations.md.

All is as in deploy/compose.yaml, without containers: Traefik with its labels, two APIs, a worker, and Prometheus with hurried rules.
"""

import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.app_info import APP_INFO
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.temporal import free_port
from models.people.roles import Role
from tests.rehearsals.parts import Process, ours
from tests.rehearsals.stage import Stage, on_stage, until
from tests.support.compose import traefik
from tests.support.isolated import ROOT

SLUG = "acme"
A_SECOND, SECONDS = 50, 20
"""Requests, and for how long, while one API after the other is restarted."""


class Day:
    """What the steps share: the stage, the merchant's id, and the address of the proxy."""

    def __init__(self, stage: Stage, second_api: Process, proxy: str) -> None:
        self.stage, self.second_api, self.proxy = stage, second_api, proxy
        self.merchant = stage.postgres.psql(f"SELECT id FROM merchant WHERE slug = '{SLUG}'", "helpdesk")

    def person(self, sub: str, *roles: Role) -> httpx.Client:
        return self.stage.client(sub, self.merchant, *roles, base=self.proxy)

    def opened(self, subject: str) -> dict[str, Any]:
        with self.person("rita", Role.REPORTER) as rita:
            return _done(rita.post("/tickets", json={"subject": subject, "description": "It does not open."}))

    def ticket(self, ticket: dict[str, Any]) -> httpx.Response:
        with self.person("lars", Role.LEAD) as lars:
            return lars.get(f"/tickets/{ticket['id']}")


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="day-") as folder,
        on_stage(Path(folder), SETUP_MERCHANT_SLUG=SLUG, SETUP_MERCHANT_NAME="Acme") as stage,
    ):
        say("From nothing", told(stage.said_by_setup))
        say("Setup again", told(stage.run("setup")))
        with behind_the_proxy(stage) as day:
            people(day)
            life_of_a_ticket(day)
            worker_killed(day)
            mail_server_gone(day)
            rolling_restart(day)
            backup_restored(day)


@contextmanager
def behind_the_proxy(stage: Stage) -> Iterator[Day]:
    """Traefik at the service's own port before two APIs."""
    own = {name: str(free_port()) for name in ("APP_ENV_HTTP_PORT", "APP_ENV_HTTP_METRICS_PORT")}
    second = ours(stage.environment, stage.folder / "second-api.log", "startup", own["APP_ENV_HTTP_PORT"], **own)
    servers = [f"http://127.0.0.1:{port}" for port in (stage.environment["APP_ENV_HTTP_PORT"], own["APP_ENV_HTTP_PORT"])]
    with ExitStack() as ending:
        ending.callback(second.stop)
        second.start()
        proxy = ending.enter_context(traefik(stage.folder, APP_INFO.port, servers))
        yield Day(stage, second, str(proxy.base_url).rstrip("/"))


def people(day: Day) -> None:
    with day.person("adam", Role.ADMIN) as adam:
        team = _done(adam.get("/teams"))["data"][0]
        for sub, name, role in (("ana", "Ana", Role.AGENT), ("sina", "Sina", Role.SENIOR), ("lars", "Lars", Role.LEAD)):
            who = {"sub": sub, "name": name, "email": f"{sub}@acme.example", "role": role, "teamId": team["id"]}
            _done(adam.post("/agents", json=who))
        agents = _done(adam.get("/agents"))["data"]
    say("The first people of the merchant", "\n".join(f"{each['role']:8} {each['name']}, team {team['name']}" for each in agents))


def life_of_a_ticket(day: Day) -> None:
    ticket = day.opened("Till")
    seen = until(lambda: _done(day.ticket(ticket)), lambda seen: seen["assigneeId"])
    with day.person("ana", Role.AGENT) as ana:
        _done(ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "Try the other key."}))
        for verb in ("resolve", "close"):
            _done(ana.post(f"/tickets/{ticket['id']}/{verb}", json={}))
        events = _done(ana.get(f"/tickets/{ticket['id']}/events"))["data"]
    mails = until(day.stage.emails, lambda mails: len(mails) >= 4)
    told = [f"e-mail to {mail.to[0]}: {mail.subject}" for mail in reversed(mails)]
    say(f"A ticket's life, at {day.proxy}", "\n".join([f"#{seen['number']}", *(each["kind"] for each in events), *told]))


def worker_killed(day: Day) -> None:
    day.stage.worker.kill()
    late = day.opened("Till, again")
    fired = _until_firing(day.stage, "helpdeskWorkerDown")
    day.stage.worker.start()
    over = _until_over(day.stage, "helpdeskWorkerDown")
    until(lambda: _done(day.ticket(late)), lambda seen: seen["assigneeId"])
    say(
        "The worker is killed",
        f"helpdeskWorkerDown fired after {fired:.0f} s; started again: over after {over:.0f} s, the ticket is assigned",
    )


def mail_server_gone(day: Day) -> None:
    day.stage.stop_mail()
    day.opened("No e-mail")
    with day.person("lars", Role.LEAD) as lars:
        fired = _until_firing(day.stage, "helpdeskNotificationFail")
        until(lambda: _dead(lars), bool)
        day.stage.start_mail()
        replayed: set[str] = set()
        until(lambda: _replay(lars, replayed), lambda left: not left)
        until(
            lambda: _done(lars.get("/notifications", params={"status": "sent"}))["data"], lambda sent: replayed <= {n["id"] for n in sent}
        )
    over = _until_over(day.stage, "helpdeskNotificationFail")
    said = (
        f"helpdeskNotificationFail fired after {fired:.0f} s; {len(replayed)} dead notifications replayed and sent; over after {over:.0f} s"
    )
    say("The mail server is gone", said)


def rolling_restart(day: Day) -> None:
    """Raises AssertionError if one request failed."""
    answered: Counter[str] = Counter()
    is_over = threading.Event()
    threads = [threading.Thread(target=_ask_on, args=(day, is_over, answered)) for _ in range(A_SECOND // 5)]
    for each in threads:
        each.start()
    for part in (day.stage.api, day.second_api, day.stage.worker):
        part.stop()
        part.start()
        time.sleep(SECONDS / 10)  # the proxy looks every two seconds
    is_over.set()
    for each in threads:
        each.join()
    say("A rolling restart under load", "\n".join(f"{count} requests: {what}" for what, count in sorted(answered.items())))
    assert set(answered) <= {"200", "201"}


def _ask_on(day: Day, is_over: threading.Event, answered: Counter[str]) -> None:
    """Five requests a second; each tenth opens a ticket."""
    with day.person("lars", Role.LEAD) as lars:
        for turn in range(10_000):
            if is_over.wait(0.2):
                return
            try:
                response = lars.get("/tickets") if turn % 10 else lars.post("/tickets", json={"subject": "Load", "description": "Many."})
                answered[str(response.status_code)] += 1
            except httpx.TransportError as error:
                answered[type(error).__name__] += 1


def backup_restored(day: Day) -> None:
    """As docs/operations.md has an operator type it, into a second cluster."""
    stage, kept = day.stage, day.opened("Before the backup")
    _until_quiet(stage)
    new = EmbeddedPostgres(stage.folder / "second")
    names = {
        "OLD": stage.postgres.url("postgres"),
        "NEW_SERVER": new.url("postgres", "postgres"),
        "NEW": new.url("postgres"),
        "BACKUP": str(stage.folder / "helpdesk.backup"),
    }
    stage.worker.stop()  # so that the backup has an e-mail of which it can't know that it was sent
    with day.person("ana", Role.AGENT) as ana:
        _done(ana.post(f"/tickets/{kept['id']}/messages", json={"body": "In the backup, and sent after it."}))
    said = stage.shell(typed("Back up"), **names)
    stage.worker.start()
    gap = day.opened("After the backup")
    _until_quiet(stage)
    told = len(stage.emails())
    assert any("sent after it" in mail.text for mail in stage.emails())
    for part in (day.second_api, stage.api, stage.worker):
        part.stop()
    new.start()
    stage.move_to(new)
    said += stage.shell(typed("Restore"), **names)
    for part in (stage.worker, stage.api, day.second_api):
        part.start()
    until(lambda: day.ticket(kept).status_code, lambda status: status == 200)
    with day.person("ana", Role.AGENT) as ana:
        _done(ana.post(f"/tickets/{kept['id']}/resolve", json={}))
    until(lambda: _workflow_says(stage, kept), lambda text: "resolved" in text)
    _until_quiet(stage)
    again = [
        mail for mail in stage.emails()[: len(stage.emails()) - told] if "sent after it" in mail.text or "After the backup" in mail.subject
    ]
    assert not again, again
    assert day.ticket(gap).status_code == 404
    say(
        "A backup is restored",
        said + f"\nthe ticket of the gap: {day.ticket(gap).status_code}\nthe ticket of the backup: resolved, and its workflow knows\n"
        f"e-mails of the gap that were sent twice: {len(again)}",
    )


def typed(section: str) -> str:
    """The commands under a heading of docs/operations.md."""
    page = (ROOT / "docs" / "operations.md").read_text()
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return "".join(block.partition("```")[0] for block in text.split("```sh\n")[1:])


def _workflow_says(stage: Stage, ticket: dict[str, Any]) -> str:
    return stage.shell(f"temporal workflow query --workflow-id ticket-{ticket['id']} --type facts")


def _until_quiet(stage: Stage) -> None:
    asked = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM notification WHERE status = 'pending')"
    until(lambda: stage.postgres.psql(asked, "helpdesk"), lambda left: left == "0")


def _until_firing(stage: Stage, alert: str) -> float:
    return _seconds(lambda: until(stage.prometheus.firing, lambda firing: alert in firing))


def _until_over(stage: Stage, alert: str) -> float:
    return _seconds(lambda: until(stage.prometheus.firing, lambda firing: alert not in firing))


def _seconds(act: Any) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _dead(lars: httpx.Client) -> list[dict[str, Any]]:
    return list(_done(lars.get("/notifications", params={"status": "dead"}))["data"])


def _replay(lars: httpx.Client, replayed: set[str]) -> bool:
    """Replay what is dead. Returns whether there was something; what was under way may still die."""
    left = _dead(lars)
    for each in left:
        _done(lars.post(f"/notifications/{each['id']}/replay"))
        replayed.add(each["id"])
    return bool(left)


def _done(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    return dict(response.json())


def told(lines: str) -> str:
    """Of a log, what each line is about."""
    said = [json.loads(line) for line in lines.splitlines()]
    return "\n".join(line["event"] + (f": {', '.join(line['added'])}" if line.get("added") else "") for line in said)


def say(what: str, said: str) -> None:
    print(f"### {what}\n\n```\n{said.strip()}\n```\n", flush=True)


if __name__ == "__main__":
    main()
