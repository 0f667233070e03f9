"""The survey behind the link in the mail: public, signed, answered once. A browser gets a page, a program gets JSON."""

from typing import Annotated, NamedTuple
from urllib.parse import parse_qs

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError
from sqlmodel import col

from api.context import Context
from api.http import strict_json
from api.http.idempotency import Once
from api.http.problems import explain
from api.http.transaction import respond
from api.survey_page import survey_page
from api.tickets.requests import AnswerSurvey
from api.tickets.responses import SurveyView
from models.audit import Actor, ActorKind, Change
from models.db.session import TenantSession
from models.errors import Invalid, NotFound
from models.people.tables import Merchant
from models.platform import signed_links as links
from models.surveys.survey import answer_survey
from models.surveys.tables import Survey
from models.tickets.repository import lock, save
from models.tickets.tables import Ticket

router = APIRouter(prefix="/surveys", tags=["surveys"])
Token = Annotated[str, Path(max_length=500, description="the signed token of the link")]


class _Asked(NamedTuple):
    survey: Survey
    ticket: Ticket
    merchant: Merchant


@router.get("/{token}", response_model=SurveyView)
async def show_survey(token: Token, request: Request) -> Response:
    context: Context = request.app.state.context
    merchant_id, survey_id = _named(context, token)
    async with context.database.reading(merchant_id) as session:
        asked = await _find(session, survey_id)
    return _shown(request, _view(asked, context))


@router.post("/{token}", response_model=SurveyView)
async def answer_one(token: Token, request: Request) -> Response:
    """Score 1 to 5 and perhaps a comment, as JSON or as the form of the page."""
    context: Context = request.app.state.context
    merchant_id, survey_id = _named(context, token)
    given, once = await _given(request), await _once(request, merchant_id, survey_id)
    async with context.database.writing(merchant_id) as session:
        if once and (kept := await once.stored(session, context.now())):
            return _shown_again(request, kept)
        asked = await _find(session, survey_id)
        by = Actor(kind=ActorKind.REPORTER, id=asked.ticket.reporter_id, name="")
        change = Change(by=by, at=context.now(), request_id=request.scope["request_id"])
        ticket = await lock(session, sa.select(Ticket).where(col(Ticket.id) == asked.ticket.id), change)
        survey = await answer_survey(ticket, survey_id, given.score, given.comment)
        await save(ticket)
        view = _view(asked._replace(survey=survey), context)
        if once:
            await once.keep(session, respond(view), context.now())
    return _shown(request, view)


def _named(context: Context, token: str) -> tuple[int, int]:
    content = links.read(context.signing_key, "survey", token)
    if content is None:
        raise NotFound("survey")
    merchant_id, survey_id = content
    return int(str(merchant_id)), int(str(survey_id))


async def _once(request: Request, merchant_id: int, survey_id: int) -> Once | None:
    """Nobody has signed in here: the link stands for the person."""
    key = request.headers.get("idempotency-key")
    return None if key is None else Once(key, merchant_id, f"survey {survey_id}", request, await request.body())


async def _find(session: TenantSession, survey_id: int) -> _Asked:
    asked = (
        sa.select(Survey, Ticket, Merchant)
        .join(Ticket, (col(Ticket.merchant_id) == Survey.merchant_id) & (col(Ticket.id) == Survey.ticket_id))
        .join(Merchant, col(Merchant.id) == Survey.merchant_id)
        .where(col(Survey.id) == survey_id, col(Ticket.deleted_at).is_(None))
    )
    row = (await session.execute(asked)).one_or_none()
    if row is None:
        raise NotFound("survey")
    return _Asked(*row)


async def _given(request: Request) -> AnswerSurvey:
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
            return AnswerSurvey.model_validate(form)
        strict_json.check(body)  # whatever the client calls it
        return AnswerSurvey.model_validate_json(body)
    except ValidationError as invalid:
        raise Invalid.of(explain([{**each, "loc": ("body", *each["loc"])} for each in invalid.errors()])) from None


def _view(asked: _Asked, context: Context) -> SurveyView:
    survey = asked.survey
    is_over = survey.cancelled_at is not None or survey.expires_at <= context.now()
    state = "answered" if survey.answered_at else "over" if is_over else "open"
    shown = survey.model_dump(include={"expires_at", "score", "comment"})
    return SurveyView(**shown, state=state, ticket_number=asked.ticket.number, merchant_name=asked.merchant.name)


def _shown_again(request: Request, kept: Response) -> Response:
    """What was kept is the answer's content; whoever asks again gets it in the shape that he asks for."""
    again = _shown(request, SurveyView.model_validate_json(bytes(kept.body)))
    again.headers["Idempotent-Replayed"] = "true"
    return again


def _shown(request: Request, view: SurveyView) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return survey_page(view)
    return respond(view, headers={"Cache-Control": "no-store"})
