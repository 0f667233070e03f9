"""Tickets as a caller may see them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col

from api.auth.caller import Caller
from api.tickets.responses import PersonView, ReporterTicketView, TicketView
from api.tickets.visibility import readable
from models.db.session import TenantSession
from models.people.tables import Reporter
from models.tickets.tables import Ticket


async def present(session: TenantSession, caller: Caller, tickets: Sequence[Ticket]) -> list[ReporterTicketView]:
    """The views of ``tickets``, in their order; a reporter's are without what only agents see."""
    reporters = await _reporters(session, tickets)
    if caller.is_staff:
        return [_view(TicketView, ticket, reporters[ticket.reporter_id]) for ticket in tickets]
    others = await _hidden(session, caller, {ticket.merged_into_id for ticket in tickets if ticket.merged_into_id})
    views = [_view(ReporterTicketView, ticket, reporters[ticket.reporter_id]) for ticket in tickets]
    return [view.model_copy(update={"merged_into_id": None}) if view.merged_into_id in others else view for view in views]


def _view(view: type[ReporterTicketView], ticket: Ticket, reporter: Reporter) -> ReporterTicketView:
    person = PersonView(id=reporter.id, name=reporter.name, email=reporter.email)
    # The values come from our own rows: they need no second judgement.
    fields = {name: getattr(ticket, name) for name in view.model_fields if name not in ("reporter", "sla_status")}
    if view is TicketView:
        fields["sla_status"] = ticket.sla_status or "none"
    return view.model_construct(reporter=person, **fields)


async def _hidden(session: TenantSession, caller: Caller, ids: set[int]) -> set[int]:
    """Of the tickets that others were merged into, those that the caller may not see: for him they are not there."""
    if not ids:
        return ids
    seen = readable(caller).where(col(Ticket.id).in_(ids)).with_only_columns(col(Ticket.id))
    return ids - set((await session.execute(seen)).scalars())


async def _reporters(session: TenantSession, tickets: Sequence[Ticket]) -> dict[int, Reporter]:
    ids = {ticket.reporter_id for ticket in tickets}
    known = session.seen(Reporter, ids)
    missing = ids - known.keys()
    if missing:
        wanted = (col(Reporter.merchant_id) == session.merchant_id) & col(Reporter.id).in_(missing)
        found = await session.execute(sa.select(Reporter).where(wanted))
        known |= {row.id: row for row in found.scalars()}
    return known
