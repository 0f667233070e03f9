"""A desk on which nothing moves by itself and whose clock stands until a test sets it: for figures that have to be exact."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from sqlmodel import col

from models.audit import SYSTEM, Actor, ActorKind, Change
from models.notifications.tables import Notification
from models.people.directory import Identity, reporter_with_token
from models.people.tables import Merchant as MerchantRow
from models.sla.policy import Metric, OnReopen
from models.sla.run_due import run_due
from models.sla.tables import ConfigurationKind, ConfigurationVersion, Escalation, EscalationOutcome
from models.tickets.aggregate import TicketAggregate
from models.tickets.open import NewTicket, open_ticket
from models.tickets.repository import lock, save
from models.tickets.tables import Ticket
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST_RESPONSE, RESOLUTION = 5 * SECOND, 10 * SECOND


class FrozenTicket:
    """A ticket of the category demo-fast, opened at noon: a first response in 5 and a resolution in 10 seconds, around the clock."""

    def __init__(self, desk: Desk, merchant: Merchant, ticket_id: int) -> None:
        self.desk, self.merchant, self.ticket_id = desk, merchant, ticket_id
        self.ana = Actor(kind=ActorKind.AGENT, id=merchant.agents["ana"], name="Ana")
        self.rita = Actor(kind=ActorKind.REPORTER, name="Rita")

    @asynccontextmanager
    async def at(self, instant: datetime, by: Actor = SYSTEM) -> AsyncIterator[TicketAggregate]:
        tickets = sa.select(Ticket).where(col(Ticket.id) == self.ticket_id)
        async with self.desk.database.writing(self.merchant.id) as session:
            ticket = await lock(session, tickets, Change(by=by, at=instant))
            yield ticket
            await save(ticket)

    async def due(self, instant: datetime) -> None:
        """Temporal wakes the ticket at ``instant``."""
        async with self.at(instant) as ticket:
            await run_due(ticket)

    async def clock(self, metric: Metric = Metric.RESOLUTION) -> Any:
        """The clock of its newest cycle."""
        async with self.at(NOON) as ticket:
            return ticket.clocks.latest(metric)

    async def rungs(self) -> list[Escalation]:
        return list(await rows(self.desk, self.merchant, Escalation))

    async def ladder(self) -> list[tuple[int, EscalationOutcome]]:
        return [(e.level, e.outcome) for e in await self.rungs()]

    async def notifications(self) -> list[tuple[str, str]]:
        """Kind and recipient of each notification, without those about the opening and about the assignee."""
        written = await rows(self.desk, self.merchant, Notification)
        return sorted((each.kind, each.recipient_name) for each in written if each.kind.startswith(("sla", "escal")))


async def opened(desk: Desk, merchant: Merchant | None = None) -> FrozenTicket:
    acme = merchant or await desk.merchant()
    async with desk.database.writing(acme.id) as session:
        rita = await reporter_with_token(session, Identity("rita", "Rita", "rita@customer.example", is_verified=True))
        by = Actor(kind=ActorKind.REPORTER, id=rita.id, name="Rita")
        new = NewTicket(subject="Till", description="Broken", category="demo-fast")
        ticket = await open_ticket(session, new, rita, Change(by=by, at=NOON))
    return FrozenTicket(desk, acme, ticket.id)


async def redefine(desk: Desk, merchant: Merchant, kind: ConfigurationKind, **changed: Any) -> None:
    """Every rule of the kind gets a second version, with other values of some fields."""
    async with desk.database.writing(merchant.id) as session:
        for configuration in (
            (await session.execute(sa.select(ConfigurationVersion).where(col(ConfigurationVersion.kind) == kind))).scalars().all()
        ):
            definition = configuration.definition | changed
            session.insert(
                ConfigurationVersion(
                    **configuration.model_dump(exclude={"version", "definition", "size"}), version=2, definition=definition
                )
            )
        await session.execute(sa.update(MerchantRow).values(rulebook_version=MerchantRow.rulebook_version + 1))


class FrozenDesk:
    """Acme at noon. The category demo-fast promises a first response in 5 and a resolution in 10 seconds, around the clock."""

    def __init__(self, desk: Desk, acme: Merchant) -> None:
        self.desk, self.acme, self.now = desk, acme, NOON
        desk.app.state.context = replace(desk.app.state.context, now=lambda: self.now)

    async def open(self, owner: str, **fields: Any) -> str:
        """A ticket of noon that ``owner`` has."""
        self.now = NOON
        ticket = await self.acme.open(**fields)
        await self.assign(ticket["id"], owner)
        return str(ticket["id"])

    async def assign(self, ticket_id: str, owner: str, second: int = 0) -> None:
        await self.at(second, self.acme.lars, ticket_id, "assign", agentId=str(self.acme.agents[owner]))

    async def at(self, second: int, client: httpx.AsyncClient, ticket_id: str, verb: str, **body: Any) -> None:
        """Somebody does something so many seconds after noon."""
        self.now = NOON + timedelta(seconds=second)
        response = await client.post(f"/tickets/{ticket_id}/{verb}", json=body)
        assert response.is_success, response.text

    async def edit(self, second: int, ticket_id: str, **fields: Any) -> None:
        self.now = NOON + timedelta(seconds=second)
        response = await self.acme.lars.patch(f"/tickets/{ticket_id}", json=fields, headers={"If-Match": "*"})
        assert response.is_success, response.text

    async def due(self, second: int, ticket_id: str) -> None:
        """Temporal wakes the ticket so many seconds after noon."""
        await FrozenTicket(self.desk, self.acme, int(ticket_id)).due(NOON + timedelta(seconds=second))

    async def configure_a_new_cycle(self) -> None:
        """From now on a reopened ticket begins a new cycle."""
        await redefine(self.desk, self.acme, ConfigurationKind.POLICY, onReopen=OnReopen.NEW_CYCLE)

    async def report(self, client: httpx.AsyncClient | None = None, first: int = 0, end: int = 3600, **query: str) -> list[dict[str, Any]]:
        """The rows of the report from ``first`` to ``end``, in seconds after noon."""
        ends = {"from": _text(first), "to": _text(end)}
        response = await (client or self.acme.lars).get("/reports/sla", params=ends | query)
        assert response.status_code == 200, response.text
        return list(response.json()["data"])


def _text(second: int) -> str:
    return (NOON + timedelta(seconds=second)).isoformat()
