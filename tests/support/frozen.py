"""One ticket on a desk on which nothing moves by itself, and deeds at exact instants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from models.audit import SYSTEM, Actor, ActorKind, Change
from models.notifications.tables import Notification
from models.people.directory import reporter_with_token
from models.people.tables import Merchant as MerchantRow
from models.sla.policy import Metric
from models.sla.run_due import meet_deadlines
from models.sla.tables import Escalation, EscalationOutcome, Rule, RuleKind
from models.tickets.aggregate import Case
from models.tickets.open import NewTicket, open_ticket
from models.tickets.repository import changing
from models.tickets.tables import Ticket
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST_RESPONSE, RESOLUTION = 5 * SECOND, 10 * SECOND


class Counter:
    """A ticket of the category demo-fast, opened at noon: a first response in 5 and a resolution in 10 seconds, around the clock."""

    def __init__(self, desk: Desk, merchant: Merchant, ticket_id: int) -> None:
        self.desk, self.merchant, self.ticket_id = desk, merchant, ticket_id
        self.ana = Actor(kind=ActorKind.AGENT, id=merchant.agents["ana"], name="Ana")
        self.rita = Actor(kind=ActorKind.REPORTER, name="Rita")

    @asynccontextmanager
    async def at(self, instant: datetime, by: Actor = SYSTEM) -> AsyncIterator[Case]:
        tickets = sa.select(Ticket).where(col(Ticket.id) == self.ticket_id)
        async with (
            self.desk.database.writing(self.merchant.id) as session,
            changing(session, tickets, Change(by=by, at=instant)) as case,
        ):
            yield case

    async def due(self, instant: datetime) -> None:
        """The engine wakes at ``instant``."""
        async with self.at(instant) as case:
            await meet_deadlines(case)

    async def clock(self, metric: Metric = Metric.RESOLUTION) -> Any:
        """The clock of its newest cycle."""
        async with self.at(NOON) as case:
            return case.clocks.latest(metric)

    async def rungs(self) -> list[Escalation]:
        return list(await rows(self.desk, self.merchant, Escalation))

    async def ladder(self) -> list[tuple[int, EscalationOutcome]]:
        return [(e.level, e.outcome) for e in await self.rungs()]

    async def letters(self) -> list[tuple[str, str]]:
        """What kind of letter who got, without those about the opening and about owners."""
        written = await rows(self.desk, self.merchant, Notification)
        return sorted((letter.kind, letter.recipient_name) for letter in written if letter.kind.startswith(("sla", "escal")))


async def opened(desk: Desk, merchant: Merchant | None = None) -> Counter:
    acme = merchant or await desk.merchant()
    async with desk.database.writing(acme.id) as session:
        rita = await reporter_with_token(session, "rita", "Rita", "rita@customer.example")
        by = Actor(kind=ActorKind.REPORTER, id=rita.id, name="Rita")
        new = NewTicket(subject="Till", description="Broken", category="demo-fast")
        ticket = await open_ticket(session, new, rita, Change(by=by, at=NOON))
    return Counter(desk, acme, ticket.id)


async def redefine(desk: Desk, merchant: Merchant, kind: RuleKind, **changed: Any) -> None:
    """Every rule of the kind gets a second version, with other values of some fields."""
    async with desk.database.writing(merchant.id) as session:
        for rule in (await session.execute(sa.select(Rule).where(col(Rule.kind) == kind))).scalars().all():
            definition = rule.definition | changed
            session.add(Rule(**rule.model_dump(exclude={"version", "definition"}), version=2, definition=definition))
        await session.execute(sa.update(MerchantRow).values(rules_version=MerchantRow.rules_version + 1))
