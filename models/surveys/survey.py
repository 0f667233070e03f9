"""The survey: asked once per resolution, answered once, withdrawn when the ticket is reopened or merged."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from models.db.session import TenantSession, locked
from models.errors import Conflict, NotFound
from models.notifications.kinds import NotificationKind
from models.notifications.notify import reporter, tell
from models.surveys.tables import Survey
from models.tickets.aggregate import Case

OPEN_FOR = timedelta(days=30)


async def send_survey(case: Case) -> None:
    """Ask the reporter how it went."""
    ticket = case.ticket
    survey = Survey(
        merchant_id=ticket.merchant_id,
        id=case.session.new_id(),
        ticket_id=ticket.id,
        cycle=ticket.resolution_cycle,
        sent_at=case.at,
        expires_at=case.at + OPEN_FOR,
    )
    case.session.insert(survey)
    ticket.survey_at = None
    cause = case.record("survey.sent", surveyId=str(survey.id))
    tell(case, NotificationKind.SURVEY, cause, await reporter(case), surveyId=survey.id)


async def cancel_survey(case: Case) -> None:
    """Reopened, or merged: what was asked about the last resolution does not count any more."""
    unanswered = (col(Survey.ticket_id) == case.ticket.id) & col(Survey.answered_at).is_(None) & col(Survey.cancelled_at).is_(None)
    await case.session.execute(sa.update(Survey).where(unanswered).values(cancelled_at=case.at))


async def open_survey(session: TenantSession, survey_id: int, at: datetime) -> Survey:
    """The survey behind a link that is still good, locked.

    Raises:
        NotFound: there is none. Conflict: answered, withdrawn or expired.
    """
    survey = (await session.execute(locked(sa.select(Survey).where(col(Survey.id) == survey_id)))).scalar_one_or_none()
    if survey is None:
        raise NotFound("survey")
    if survey.answered_at:
        raise Conflict("survey_answered", "This survey has been answered.")
    if survey.cancelled_at:
        raise Conflict("survey_withdrawn", "This survey has been withdrawn.")
    if survey.expires_at <= at:
        raise Conflict("survey_expired", "This survey has expired.")
    return survey


async def answer_survey(case: Case, survey_id: int, score: int, comment: str | None) -> Survey:
    survey = await open_survey(case.session, survey_id, case.at)
    survey.answered_at, survey.score, survey.comment = case.at, score, comment
    case.record("survey.answered", surveyId=str(survey.id), score=score)
    return survey
