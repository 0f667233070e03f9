"""`make day`: a day in the life of the system, from nothing; what is printed is in docs/operations.md.

All is as in deploy/compose.yaml, without containers: Traefik with its labels, two APIs, a worker, and Prometheus with hurried rules.
"""

import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from models.people.roles import Role
from tests.rehearsals.merchant import SLUG, Merchant, behind_the_proxy, done, say
from tests.rehearsals.restore import backup_restored
from tests.rehearsals.stage import Stage, on_stage, until

A_SECOND, SECONDS = 50, 20
"""Requests, and for how long, while one API after the other is restarted."""


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="day-") as folder,
        on_stage(Path(folder), SETUP_MERCHANT_SLUG=SLUG, SETUP_MERCHANT_NAME="Acme") as stage,
    ):
        say("From nothing", told(stage.said_by_setup))
        say("Setup again", told(stage.run("setup")))
        with behind_the_proxy(stage) as acme:
            people(acme)
            life_of_a_ticket(acme)
            worker_killed(acme)
            mail_server_gone(acme)
            rolling_restart(acme)
            backup_restored(acme)


def people(acme: Merchant) -> None:
    with acme.person("adam", Role.ADMIN) as adam:
        team = done(adam.get("/teams"))["data"][0]
        for sub, name, role in (("ana", "Ana", Role.AGENT), ("sina", "Sina", Role.SENIOR), ("lars", "Lars", Role.LEAD)):
            who = {"sub": sub, "name": name, "email": f"{sub}@acme.example", "role": role, "teamId": team["id"]}
            done(adam.post("/agents", json=who))
        agents = done(adam.get("/agents"))["data"]
    say("The first people of the merchant", "\n".join(f"{each['role']:8} {each['name']}, team {team['name']}" for each in agents))


def life_of_a_ticket(acme: Merchant) -> None:
    ticket = acme.opened("Till")
    seen = until(lambda: done(acme.ticket(ticket)), lambda seen: seen["assigneeId"])
    with acme.person("ana", Role.AGENT) as ana:
        done(ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "Try the other key."}))
        for verb in ("resolve", "close"):
            done(ana.post(f"/tickets/{ticket['id']}/{verb}", json={}))
        events = done(ana.get(f"/tickets/{ticket['id']}/events"))["data"]
    mails = until(acme.stage.emails, lambda mails: len(mails) >= 4)
    told = [f"e-mail to {mail.to[0]}: {mail.subject}" for mail in reversed(mails)]
    say(f"A ticket's life, at {acme.proxy}", "\n".join([f"#{seen['number']}", *(each["kind"] for each in events), *told]))


def worker_killed(acme: Merchant) -> None:
    acme.stage.worker.kill()
    late = acme.opened("Till, again")
    fired = _until_firing(acme.stage, "helpdeskWorkerDown")
    acme.stage.worker.start()
    over = _until_over(acme.stage, "helpdeskWorkerDown")
    until(lambda: done(acme.ticket(late)), lambda seen: seen["assigneeId"])
    say(
        "The worker is killed",
        f"helpdeskWorkerDown fired after {fired:.0f} s; started again: over after {over:.0f} s, the ticket is assigned",
    )


def mail_server_gone(acme: Merchant) -> None:
    acme.stage.stop_mail()
    acme.opened("No e-mail")
    with acme.person("lars", Role.LEAD) as lars:
        fired = _until_firing(acme.stage, "helpdeskNotificationFail")
        until(lambda: _dead(lars), bool)
        acme.stage.start_mail()
        replayed: set[str] = set()
        until(lambda: _replay(lars, replayed), lambda left: not left)
        until(lambda: done(lars.get("/notifications", params={"status": "sent"}))["data"], lambda sent: replayed <= {n["id"] for n in sent})
    over = _until_over(acme.stage, "helpdeskNotificationFail")
    said = (
        f"helpdeskNotificationFail fired after {fired:.0f} s; {len(replayed)} dead notifications replayed and sent; over after {over:.0f} s"
    )
    say("The mail server is gone", said)


def rolling_restart(acme: Merchant) -> None:
    """Raises AssertionError if one request failed."""
    answered: Counter[str] = Counter()
    is_over = threading.Event()
    threads = [threading.Thread(target=_ask_on, args=(acme, is_over, answered)) for _ in range(A_SECOND // 5)]
    for each in threads:
        each.start()
    for part in (acme.stage.api, acme.second_api, acme.stage.worker):
        part.stop()
        part.start()
        time.sleep(SECONDS / 10)  # the proxy looks every two seconds
    is_over.set()
    for each in threads:
        each.join()
    say("A rolling restart under load", "\n".join(f"{count} requests: {what}" for what, count in sorted(answered.items())))
    assert set(answered) <= {"200", "201"}


def _ask_on(acme: Merchant, is_over: threading.Event, answered: Counter[str]) -> None:
    """Five requests a second; each tenth opens a ticket."""
    with acme.person("lars", Role.LEAD) as lars:
        for turn in range(10_000):
            if is_over.wait(0.2):
                return
            try:
                response = lars.get("/tickets") if turn % 10 else lars.post("/tickets", json={"subject": "Load", "description": "Many."})
                answered[str(response.status_code)] += 1
            except httpx.TransportError as error:
                answered[type(error).__name__] += 1


def _until_firing(stage: Stage, alert: str) -> float:
    return _seconds(lambda: until(stage.prometheus.firing, lambda firing: alert in firing))


def _until_over(stage: Stage, alert: str) -> float:
    return _seconds(lambda: until(stage.prometheus.firing, lambda firing: alert not in firing))


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _dead(lars: httpx.Client) -> list[dict[str, Any]]:
    return list(done(lars.get("/notifications", params={"status": "dead"}))["data"])


def _replay(lars: httpx.Client, replayed: set[str]) -> bool:
    """Replay what is dead. Returns whether there was something; what was under way may still die."""
    left = _dead(lars)
    for each in left:
        done(lars.post(f"/notifications/{each['id']}/replay"))
        replayed.add(each["id"])
    return bool(left)


def told(lines: str) -> str:
    """Of a log, what each line is about."""
    said = [json.loads(line) for line in lines.splitlines()]
    return "\n".join(line["event"] + (f": {', '.join(line['added'])}" if line.get("added") else "") for line in said)


if __name__ == "__main__":
    main()
