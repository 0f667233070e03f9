"""Tickets as a caller may see them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col

from api.caller import Caller
from api.views import PersonView, ReporterTicketView, TicketView
from models.tables.people import Reporter
from models.tables.session import TenantSession
from models.tables.ticket import Ticket


async def present(session: TenantSession, caller: Caller, tickets: Sequence[Ticket]) -> list[ReporterTicketView]:
    """The views of ``tickets``, in their order; a reporter's are without what only agents see."""
    reporters = await _reporters(session, tickets)
    view = TicketView if caller.is_staff else ReporterTicketView
    return [_view(view, ticket, reporters[ticket.reporter_id]) for ticket in tickets]


def _view(view: type[ReporterTicketView], ticket: Ticket, reporter: Reporter) -> ReporterTicketView:
    person = PersonView(id=reporter.id, name=reporter.name, email=reporter.email)
    # The values come from our own rows: they need no second judgement.
    fields = {name: getattr(ticket, name) for name in view.model_fields if name not in ("reporter", "sla_status")}
    if view is TicketView:
        fields["sla_status"] = ticket.sla_status or "none"
    return view.model_construct(reporter=person, **fields)


async def _reporters(session: TenantSession, tickets: Sequence[Ticket]) -> dict[int, Reporter]:
    ids = {ticket.reporter_id for ticket in tickets}
    known = {id_: row for id_ in ids if (row := session.identity_map.get(session.identity_key(Reporter, (session.merchant_id, id_))))}
    missing = ids - known.keys()
    if missing:
        wanted = (col(Reporter.merchant_id) == session.merchant_id) & col(Reporter.id).in_(missing)
        found = await session.execute(sa.select(Reporter).where(wanted))
        known |= {row.id: row for row in found.scalars()}
    return known
