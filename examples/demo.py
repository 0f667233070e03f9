"""One ticket's life, played against the running system: `make up` in one terminal, `make demo` in another.

Rita reports a broken till and no agent answers. The seeded category `demo-fast` has targets of seconds, so the whole escalation
ladder passes within a quarter of a minute; then the lead replies and resolves, and Rita answers the survey and closes the ticket.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from examples.client import BASE, URL, Helpdesk, Person, run, say, wait_for

TICKET = {"subject": "The till does not open", "description": "Since this morning.", "category": "demo-fast"}

Event = dict[str, Any]

SENTENCES = {
    "ticket.opened": "by {actor}",
    "ticket.assigned": "to {new}",
    "sla.warned": "{metric} at risk: {percent} % of the target has passed",
    "sla.breached": "{metric} breached",
    "escalation.notified": "level {level} for {metric}: {old} keeps the ticket, the lead is told",
    "escalation.reassigned": "level {level} for {metric}: from {old} to {new}",
    "escalation.superseded": "level {level} for {metric}: a higher level was due as well",
    "escalation.no_target": "level {level} for {metric}: no agent can take the ticket, the lead is told",
    "ticket.replied": "by {actor}",
    "ticket.resolved": "by {actor}",
    "survey.sent": "to Rita Reporter",
    "survey.answered": "{score} of 5",
    "ticket.closed": "by {actor}",
}


def play(desk: Helpdesk) -> None:
    rita, lars = desk.rita(), desk.lars()
    ticket = rita.post("/tickets", TICKET)
    introduce(lars, ticket)

    timeline = Timeline(lars, ticket)
    timeline.follow_until("escalation level 3", lambda event: event["changes"].get("level") == 3)
    lars.post(f"/tickets/{ticket['id']}/messages", {"body": "We come at noon."})
    lars.post(f"/tickets/{ticket['id']}/resolve", {"reason": "The till opens again."})
    timeline.follow_until("the survey", lambda event: event["kind"] == "survey.sent")
    desk.post_link(survey_link(desk, ticket), {"score": 5, "comment": "Quick, in the end."})
    rita.post(f"/tickets/{ticket['id']}/close")
    timeline.follow_until("the end", lambda event: event["kind"] == "ticket.closed")

    show_emails(desk, lars, ticket)
    show_links(lars.get(f"/tickets/{ticket['id']}"))


def introduce(lars: Person, ticket: dict[str, Any]) -> None:
    cycles = lars.get(f"/tickets/{ticket['id']}/sla")["data"]
    targets = " and ".join(f"{in_words(cycle['metric'])} within {cycle['targetSeconds']} s" for cycle in cycles)
    say(f'Ticket #{ticket["number"]} "{ticket["subject"]}", category {ticket["category"]}: {targets}.')
    say("No agent answers. What time does to it, as it happens:\n")


class Timeline:
    """A ticket's audit, printed a line an event."""

    def __init__(self, reader: Person, ticket: dict[str, Any]) -> None:
        self._reader, self._ticket = reader, ticket
        self._names = {agent["id"]: agent["name"] for agent in reader.get("/agents")["data"]}
        self._printed = 0

    def follow_until(self, what: str, is_last: Callable[[Event], bool]) -> None:
        """Print events as they come, up to the one for which ``is_last`` holds."""
        wait_for(what, lambda: any(is_last(event) for event in self._print_new()) or None)

    def _print_new(self) -> list[Event]:
        events = self._reader.get(f"/tickets/{self._ticket['id']}/events", limit=100)["data"]
        new = [event for event in events if event["sequence"] > self._printed]
        for event in new:
            say(f"  {since_opening(self._ticket, event['at'])}  {event['kind']:<21}  {self._sentence(event)}")
            self._printed = event["sequence"]
        return new

    def _sentence(self, event: Event) -> str:
        changes = event["changes"]
        words = {
            "actor": event["actor"]["name"],
            "old": self._names.get(changes.get("fromAgentId"), "the queue"),
            "new": self._names.get(changes.get("toAgentId"), "the queue"),
            "metric": in_words(changes.get("metric") or ""),
            "percent": round(100 * changes.get("fraction", 0)),
        }
        return SENTENCES.get(event["kind"], "").format_map(defaultdict(str, changes | words))


def survey_link(desk: Helpdesk, ticket: dict[str, Any]) -> str:
    """Wait for the e-mail with the survey, and return the link in it."""

    def look() -> str | None:
        links = (re.search(r"http\S+/surveys/\S+", email["text"]) for email in desk.emails(ticket["id"]))
        return next((link.group() for link in links if link), None)

    return wait_for("the survey's e-mail", look)


def show_emails(desk: Helpdesk, lars: Person, ticket: dict[str, Any]) -> None:
    """Print the e-mails about the ticket, once none is on its way any more."""

    def all_sent() -> bool | None:
        notifications = lars.get(f"/tickets/{ticket['id']}/notifications", limit=100)["data"]
        return all(notification["status"] != "pending" for notification in notifications) or None

    wait_for("the last e-mail", all_sent)
    say("\nE-mails, all in one thread:\n")
    for email in desk.emails(ticket["id"]):
        say(f"  {since_opening(ticket, email['receivedAt'])}  {email['to'][0]:<21}  {email['subject']}")


def show_links(ticket: dict[str, Any]) -> None:
    say("\nLook further:\n")
    say(f"  the ticket (with a token)   {URL}{BASE}/tickets/{ticket['id']}")
    say(f"  its workflow                {ticket['links']['workflow']}")
    say(f"  all e-mails                 {URL}/dev/mail")
    say(f"  the API's documentation     {URL}/docs")


def since_opening(ticket: dict[str, Any], at: str) -> str:
    passed = datetime.fromisoformat(at) - datetime.fromisoformat(ticket["createdAt"])
    return f"+{passed.total_seconds():5.1f} s"


def in_words(metric: str) -> str:
    return metric.replace("_", " ")


if __name__ == "__main__":
    run(play)
