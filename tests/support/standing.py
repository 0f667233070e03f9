"""A desk whose clock stands until a test sets it, and on which nothing moves by itself: for figures that have to be exact."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.people.tables import Merchant as MerchantRow
from models.sla.policy import OnReopen
from models.sla.run_due import meet_deadlines
from models.sla.tables import Rule, RuleKind
from models.tickets.repository import changing
from models.tickets.tables import Ticket
from tests.support.desk import Desk, Merchant

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Standing:
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
        answer = await client.post(f"/tickets/{ticket_id}/{verb}", json=body)
        assert answer.is_success, answer.text

    async def edit(self, second: int, ticket_id: str, **fields: Any) -> None:
        self.now = NOON + timedelta(seconds=second)
        answer = await self.acme.lars.patch(f"/tickets/{ticket_id}", json=fields, headers={"If-Match": "*"})
        assert answer.is_success, answer.text

    async def due(self, second: int, ticket_id: str) -> None:
        """The engine wakes so many seconds after noon."""
        at = NOON + timedelta(seconds=second)
        tickets = sa.select(Ticket).where(col(Ticket.id) == int(ticket_id))
        async with (
            self.desk.database.writing(self.acme.id) as session,
            changing(session, tickets, Change(by=SYSTEM, at=at)) as case,
        ):
            await meet_deadlines(case)

    async def promise_a_new_cycle(self) -> None:
        """From now on a reopened ticket begins a new cycle."""
        async with self.desk.database.writing(self.acme.id) as session:
            policies = (await session.execute(sa.select(Rule).where(col(Rule.kind) == RuleKind.POLICY))).scalars().all()
            for rule in policies:
                definition = rule.definition | {"onReopen": OnReopen.NEW_CYCLE}
                session.add(Rule(**rule.model_dump(exclude={"version", "definition"}), version=2, definition=definition))
            await session.execute(sa.update(MerchantRow).values(rules_version=2))

    async def report(self, client: httpx.AsyncClient | None = None, first: int = 0, end: int = 3600, **query: str) -> list[dict[str, Any]]:
        """The rows of the report from ``first`` to ``end``, in seconds after noon."""
        ends = {"from": _text(first), "to": _text(end)}
        answer = await (client or self.acme.lars).get("/reports/sla", params=ends | query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])


def _text(second: int) -> str:
    return (NOON + timedelta(seconds=second)).isoformat()
