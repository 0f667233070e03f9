"""The driver of the whole stack: plays a random history over HTTP and lets Temporal act on each deadline, by moving its time there.

Instants are microseconds since 1970, so that the oracle counts as exactly as the database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from models.db.session import TenantSession
from models.people.tables import Agent, Category, Team
from models.sla.policy import Match, SlaPolicy
from models.sla.tables import ConfigurationKind, ConfigurationVersion
from models.tickets.lifecycle import UNFINISHED, Status, Transition, is_allowed, may_snooze
from models.tickets.messages import TicketFacts
from models.value import Value
from tests.sla.oracle_values import PlainConfiguration
from tests.sla.sla_histories import (
    PRIORITIES,
    WINDOWS,
    History,
    Step,
    Version,
    calendar_of,
    ladder_of,
    open_time_of,
    plain_configuration,
    policy_of,
)
from tests.support.auditor import facts_of
from tests.support.desk import Desk, Merchant
from tests.system.verbs import A_MOMENT, do, known, say

PARTS = 1_000_000
AWAY_FROM_A_DEADLINE = timedelta(seconds=5)
AFTERWARDS = timedelta(days=3)


def category(version: int) -> str:
    return f"version-{version}"


def window_of(history: History, now: datetime) -> datetime:
    """The next occurrence of these weeks of the year: a workflow's time only moves forward."""
    first = WINDOWS[history.window]
    return next(at for year in range(now.year, now.year + 2) if (at := first.replace(year=year)) > now)


def plain_versions(history: History, first: datetime) -> list[PlainConfiguration]:
    """Each is a policy of its own, also if two have the same targets."""
    return [
        _in_parts(plain_configuration(version, open_time_of(version.calendar, first, PARTS)))._replace(name=category(number))
        for number, version in enumerate(history.versions)
    ]


def _in_parts(configuration: PlainConfiguration) -> PlainConfiguration:
    targets = {priority: {m: t and t * PARTS for m, t in row.items()} for priority, row in configuration.targets.items()}
    return configuration._replace(targets=targets, rungs=tuple(rung._replace(offset=rung.offset * PARTS) for rung in configuration.rungs))


async def write_configuration(desk: Desk, merchant: Merchant, history: History) -> None:
    """Each version has its category; all agents are away, so that a ticket stays new until a person assigns it."""
    async with desk.database.writing(merchant.id) as session:
        key: dict[str, Any] = {"merchant_id": merchant.id}
        team = (await session.execute(sa.select(col(Team.id)))).scalar_one()
        await session.execute(sa.update(Agent).values(availability="away"))
        names = [category(number) for number in range(len(history.versions))]
        for each in [Category(**key, id=session.new_id(), name=name, team_id=team, position=9) for name in names]:
            session.insert(each)
        await _narrow_the_seeded_policy(session)
        for number, version in enumerate(history.versions):
            for id_, kind, value in _definitions(session, number, version):
                _publish(session, id_, 1, kind, value)


async def _narrow_the_seeded_policy(session: TenantSession) -> None:
    """It matches every ticket: then none could be without a policy."""
    policies = sa.select(ConfigurationVersion).where(col(ConfigurationVersion.kind) == ConfigurationKind.POLICY)
    desk = next(policy for policy in (await session.execute(policies)).scalars() if policy.definition["name"] == "Desk")
    narrowed = SlaPolicy.model_validate(desk.definition).model_copy(update={"match": Match(categories=("general",))})
    _publish(session, desk.id, 2, ConfigurationKind.POLICY, narrowed)


def _definitions(session: TenantSession, number: int, version: Version) -> list[tuple[int, ConfigurationKind, Value]]:
    if version.policy is None:
        return []
    policy, calendar, ladder = (session.new_id() for _ in range(3))
    rungs, match = ladder_of(version.ladder), Match(categories=(category(number),))
    published = policy_of(version.policy, match=match, calendar_id=calendar, ladder_id=ladder if rungs else None)
    found: list[tuple[int, ConfigurationKind, Value]] = [
        (policy, ConfigurationKind.POLICY, published),
        (calendar, ConfigurationKind.CALENDAR, calendar_of(version.calendar)),
    ]
    return [*found, (ladder, ConfigurationKind.LADDER, rungs)] if rungs else found


def _publish(session: TenantSession, id_: int, version: int, kind: ConfigurationKind, value: Value) -> None:
    definition, now = value.model_dump(mode="json", by_alias=True), datetime.now(UTC)
    session.insert(
        ConfigurationVersion(merchant_id=session.merchant_id, id=id_, version=version, kind=kind, definition=definition, created_at=now)
    )


class Life:
    """One ticket, from its opening to some days after the last step."""

    def __init__(self, desk: Desk, merchant: Merchant, history: History, first: datetime) -> None:
        self.desk, self.merchant, self.history = desk, merchant, history
        self.opened_at = first + timedelta(seconds=history.opened_after)
        self.ticket: dict[str, Any] = {}

    async def live(self) -> None:
        ahead = self.opened_at - self.desk.clock.now()
        self.desk.clock.ahead += ahead
        self.ticket = await self.merchant.open(category=category(0), priority=PRIORITIES[self.history.priority])
        await self.desk.until(lambda: self.desk.history(f"ticket-{self.ticket['id']}"), bool)
        await known(self.desk, self.merchant, self.ticket)
        await self.desk.environment.fast_forward(self.desk.client.get_workflow_handle(f"ticket-{self.ticket['id']}"), ahead)
        for at, step in self.timeline():
            if (await self.reach(at)).has_ended:
                return
            await self.act(step)

    def timeline(self) -> Iterator[tuple[datetime, Step]]:
        at = self.opened_at
        for step in self.history.steps:
            at += timedelta(seconds=step.after)
            yield at, step
        yield at + AFTERWARDS, Step(0, "wait")

    async def reach(self, at: datetime) -> TicketFacts:
        """Move time from deadline to deadline up to ``at``; past a deadline that is close to it."""
        while True:
            facts = await self.quiet()
            now, next_due = self.desk.clock.now(), facts.deadlines[0].due_at if facts.deadlines else None
            if facts.has_ended:
                return facts
            if next_due is None or next_due > max(at, now) + AWAY_FROM_A_DEADLINE:
                if at > now:
                    await self.desk.pass_time(self.ticket["id"], at - now)
                return facts
            await self.desk.pass_time(self.ticket["id"], max(next_due - now, timedelta()) + A_MOMENT)

    async def quiet(self) -> TicketFacts:
        """Wait until the workflow knows the latest facts and has acted on all that is due."""
        await known(self.desk, self.merchant, self.ticket)

        def is_quiet(facts: TicketFacts) -> bool:
            return facts.has_ended or not facts.deadlines or facts.deadlines[0].due_at > self.desk.clock.now()

        return await self.desk.until(lambda: facts_of(self.desk, self.ticket["id"]), is_quiet)

    async def act(self, step: Step) -> None:
        people, ticket = self.merchant, self.ticket
        seen = await people.get(ticket["id"])
        status = Status(seen["status"])
        if step.kind == "reply":
            await say(people.ana, ticket)
        elif step.kind == "comment":
            await say(people.rita, ticket, "Any news?")
        elif step.kind == "assign" and status in UNFINISHED:
            await do(people.lars, ticket, "assign", {"agentId": str(people.agents["ana"])})
        elif step.kind == "acknowledge":
            await people.ana.post(f"/tickets/{ticket['id']}/acknowledge")  # refused if no rung was taken yet
        elif step.kind == "escalate" and step.which % 4:
            await people.ana.post(
                f"/tickets/{ticket['id']}/escalate", json={"reason": "It burns", "level": step.which % 4}
            )  # or refused, if it is at that level already
        elif step.kind == "snooze" and may_snooze(status):
            await do(people.ana, ticket, "snooze", {"until": (self.desk.clock.now() + timedelta(seconds=step.which)).isoformat()})
        elif step.kind in ("transition", "close"):
            possible = [each for each in Transition if is_allowed(each, status) and (each is Transition.CLOSE) == (step.kind == "close")]
            await do(people.lars, ticket, possible[step.which % len(possible)])
        elif step.kind in ("priority", "configuration"):
            await self.edit({"priority": PRIORITIES[step.which % 4]} if step.kind == "priority" else {"category": category(step.which % 4)})

    async def edit(self, changes: dict[str, str]) -> None:
        response = await self.merchant.lars.patch(f"/tickets/{self.ticket['id']}", json=changes, headers={"If-Match": "*"})
        assert response.is_success, response.text
