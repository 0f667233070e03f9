"""The survey: asked once per resolution, answered once, withdrawn when the ticket is reopened or merged."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from models.db.session import TenantSession, locked
from models.errors import Conflict, Gone, NotFound
from models.notifications.kinds import NotificationKind
from models.notifications.notify import notify, reporter
from models.surveys.tables import Survey
from models.tickets.aggregate import TicketAggregate

OPEN_FOR = timedelta(days=30)


async def send_survey(ticket: TicketAggregate) -> None:
    """Ask the reporter how it went."""
    row = ticket.row
    survey = Survey(
        merchant_id=row.merchant_id,
        id=ticket.session.new_id(),
        ticket_id=row.id,
        cycle=row.resolution_cycle,
        sent_at=ticket.at,
        expires_at=ticket.at + OPEN_FOR,
    )
    ticket.session.insert(survey)
    row.survey_at = None
    cause = ticket.record("survey.sent", surveyId=str(survey.id))
    notify(ticket, NotificationKind.SURVEY, cause, await reporter(ticket), surveyId=survey.id)


async def cancel_survey(ticket: TicketAggregate) -> None:
    """Reopened, or merged: what was asked about the last resolution does not count any more."""
    unanswered = (col(Survey.ticket_id) == ticket.row.id) & col(Survey.answered_at).is_(None) & col(Survey.cancelled_at).is_(None)
    await ticket.session.execute(sa.update(Survey).where(unanswered).values(cancelled_at=ticket.at))


async def open_survey(session: TenantSession, survey_id: int, at: datetime) -> Survey:
    """The survey behind a link that is still good, locked.

    Raises:
        NotFound: there is none. Conflict: answered. Gone: withdrawn or expired.
    """
    survey = (await session.execute(locked(sa.select(Survey).where(col(Survey.id) == survey_id)))).scalar_one_or_none()
    if survey is None:
        raise NotFound("survey")
    if survey.answered_at:
        raise Conflict("survey_answered", "This survey has been answered.")
    if survey.cancelled_at:
        raise Gone("survey_withdrawn", "This survey has been withdrawn.")
    if survey.expires_at <= at:
        raise Gone("survey_expired", "This survey has expired.")
    return survey


async def unanswered_survey(session: TenantSession, ticket_id: int, at: datetime) -> int | None:
    """The id of the ticket's survey that still waits for an answer, if there is one."""
    is_open = col(Survey.answered_at).is_(None) & col(Survey.cancelled_at).is_(None) & (col(Survey.expires_at) > at)
    of_ticket = sa.select(col(Survey.id)).where(col(Survey.merchant_id) == session.merchant_id, col(Survey.ticket_id) == ticket_id, is_open)
    return (await session.execute(of_ticket.order_by(col(Survey.cycle).desc()).limit(1))).scalar_one_or_none()


async def answer_survey(ticket: TicketAggregate, survey_id: int, score: int, comment: str | None) -> Survey:
    survey = await open_survey(ticket.session, survey_id, ticket.at)
    survey.answered_at, survey.score, survey.comment = ticket.at, score, comment
    ticket.record("survey.answered", surveyId=str(survey.id), score=score)
    return survey
