"""A walk through the SLA configuration: calendar, policy, versions, previews, a dry run, a recalculation, and what can be asked afterwards.

Each run invents an organizer (a branch of the merchant) and publishes a policy for that organizer's tickets alone. So a run meets
neither the tickets nor the policies of an earlier one and shows the same again. It leaves a calendar, a policy and a closed ticket.
"""

import time
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from examples.client import ExampleError, Helpdesk, Person, run, say, wait_for

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600
DAY = [["09:00", "12:30"], ["13:30", "18:00"]]
OFFICE = {"name": "Office", "timeZone": "Europe/Berlin", "weekly": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), DAY)}
CHRISTMAS_EVE = "2026-12-24T16:00:00+01:00"
A_MONDAY = "2026-03-02T11:00:00+01:00"

Json = dict[str, Any]
_step = count(1)


def walk(desk: Helpdesk) -> None:
    adam, lars = desk.adam(), desk.lars()
    organizer = str(time.time_ns())
    rita = desk.rita(organizerIds=[organizer])

    calendar = publish_calendar(adam)
    policy = publish_policy(adam, calendar, organizer)
    ticket = open_ticket(rita, lars, organizer)
    publish_shorter_target(adam, lars, policy, ticket)
    dry_run(adam, policy, organizer)
    recalculate(adam, lars, policy, ticket)
    finish(rita, lars, ticket)
    show_timeline(lars, ticket)
    show_report(lars, organizer)


def publish_calendar(adam: Person) -> Json:
    step("Publish a calendar: Monday to Friday, 09:00 to 12:30 and 13:30 to 18:00 in Berlin")
    calendar: Json = adam.post("/calendars", OFFICE)
    show_four_hours(adam, calendar)

    step("Publish its version 2, which knows the holidays of Germany")
    calendar = adam.post(f"/calendars/{calendar['id']}/versions", OFFICE | {"holidayCountry": "DE"})
    show_four_hours(adam, calendar)
    return calendar


def show_four_hours(adam: Person, calendar: Json) -> None:
    due = adam.post("/calendars/preview", {"calendarId": calendar["id"], "start": CHRISTMAS_EVE, "seconds": 4 * HOUR})["dueAt"]
    say(f"   version {calendar['version']}: four hours of business time from {local(CHRISTMAS_EVE)} end on {local(due)}")


def publish_policy(adam: Person, calendar: Json, organizer: str) -> Json:
    step("Preview a policy: which targets would a ticket of the new branch get, opened on a Monday at 11:00?")
    definition = definition_of(adam, calendar, organizer, resolution=4 * HOUR)
    described = {"organizerId": organizer, "createdAt": A_MONDAY}
    forecast = adam.post("/sla-policies/preview", {"definition": definition, "ticketSample": described})
    if forecast["reason"] is not None:
        raise ExampleError(f"the policy {forecast['wonBy']['name']!r} wins over the new one: {in_words(forecast['reason'])}")
    for metric in forecast["promised"]:
        say(f"   {in_words(metric['metric']):<14}  target {duration(metric['targetSeconds'])}, due on {local(metric['dueAt'])}")
        for rung in metric["rungs"]:
            say(f"{'':<18}level {rung['level']} on {local(rung['dueAt'])}")

    step("Publish it without a position: so it stands right before the policy for all tickets")
    policy: Json = adam.post("/sla-policies", definition)
    say(f"   policy {policy['name']!r}, version {policy['version']}, for organizer {organizer}")
    return policy


def definition_of(adam: Person, calendar: Json, organizer: str, resolution: int) -> Json:
    """Return a policy to publish, with the ladder of the demo merchant's own policies."""
    ladders = adam.get("/escalation-ladders", limit=100)["data"]
    return {
        "name": "Branch",
        "match": {"organizerIds": [organizer]},
        "calendarId": calendar["id"],
        "ladderId": next(ladder["id"] for ladder in ladders if ladder["name"] == "default"),
        "targets": {"normal": {"firstResponseSeconds": HOUR, "resolutionSeconds": resolution}},
    }


def open_ticket(rita: Person, lars: Person, organizer: str) -> Json:
    step("Rita opens a ticket for the branch: the policy applies from its first instant")
    body = {"subject": "The till is stuck", "description": "It shows an error.", "category": "general", "organizerId": organizer}
    ticket: Json = rita.post("/tickets", body)
    show_cycles(lars, ticket)
    return ticket


def publish_shorter_target(adam: Person, lars: Person, policy: Json, ticket: Json) -> None:
    step("Publish version 2 of the policy: resolution within 2 h. An open ticket keeps the version it was opened under")
    kept = {name: policy[name] for name in ("name", "position", "match", "calendarId", "ladderId")}
    targets = {"normal": {"firstResponseSeconds": HOUR, "resolutionSeconds": 2 * HOUR}}
    adam.post(f"/sla-policies/{policy['id']}/versions", kept | {"targets": targets})
    show_cycles(lars, ticket)


def dry_run(adam: Person, policy: Json, organizer: str) -> None:
    step("A dry run over the branch's open tickets: what would version 2 change? Nothing is written")
    job = finished(adam, adam.post(f"/sla-policies/{policy['id']}/preview", {"filter": {"organizerId": organizer}}))
    say(f"   {job['changed']} of {job['total']} tickets would be timed anew, {job['breached']} of them would be overdue at once")


def recalculate(adam: Person, lars: Person, policy: Json, ticket: Json) -> None:
    step("Recalculate: a job moves the open tickets that the policy concerns to version 2. Time already spent stays spent")
    job = finished(adam, adam.post(f"/sla-policies/{policy['id']}/recalculations"))
    say(f"   the job is {job['status']}: {job['changed']} ticket changed, {job['breached']} overdue, {job['failed']} failed")
    show_cycles(lars, ticket)


def finished(adam: Person, job: Json) -> Json:
    """Wait until the worker has finished a job."""

    def look() -> Json | None:
        now: Json = adam.get(f"/jobs/{job['id']}")
        return now if now["finishedAt"] else None

    return wait_for(f"job {job['id']}", look)


def finish(rita: Person, lars: Person, ticket: Json) -> None:
    step("Lars replies and resolves, Rita closes: both clocks stop")
    lars.post(f"/tickets/{ticket['id']}/messages", {"body": "We come at noon."})
    lars.post(f"/tickets/{ticket['id']}/resolve")
    rita.post(f"/tickets/{ticket['id']}/close")
    show_cycles(lars, ticket)


def show_cycles(lars: Person, ticket: Json) -> None:
    """Print what GET /tickets/{id}/sla says."""
    for cycle in lars.get(f"/tickets/{ticket['id']}/sla")["data"]:
        target, version = duration(cycle["targetSeconds"]), cycle["policyVersion"]
        due = f", due on {local(cycle['dueAt'])}" if cycle["dueAt"] else ""
        say(f"   {in_words(cycle['metric']):<14}  {cycle['status']:<8}  target {target} by version {version}{due}")


def show_timeline(lars: Person, ticket: Json) -> None:
    step("Why was it due then? GET /tickets/{id}/sla/timeline has each stretch of each clock, and the reason it began")
    for segment in lars.get(f"/tickets/{ticket['id']}/sla/timeline")["data"]:
        target, version = duration(segment["targetSeconds"]), segment["policyVersion"]
        say(f"   {in_words(segment['metric']):<14}  {segment['kind']:<8}  {segment['reason']:<24}  target {target} by version {version}")


def show_report(lars: Person, organizer: str) -> None:
    step("How well are targets met? GET /reports/sla, for this organizer alone")
    for row in lars.get("/reports/sla", groupBy="metric", organizerId=organizer)["data"]:
        say(f"   {in_words(row['metric']):<14}  met {row['met']}, breached {row['breached']}")


def step(title: str) -> None:
    say(f"\n{next(_step)}. {title}")


def local(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(BERLIN).strftime("%a %d %b %H:%M")


def duration(seconds: int) -> str:
    return f"{seconds / HOUR:g} h"


def in_words(metric: str) -> str:
    return metric.replace("_", " ")


if __name__ == "__main__":
    run(walk)
