"""The survey behind the link in the e-mail: public, signed, answered once. A browser gets a page, a program gets JSON.

No token is needed, so these are no :class:`TransactionRoute`: the link stands for the person, and names the merchant.
"""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from urllib.parse import parse_qs

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Request, Response
from jinja2 import Environment
from pydantic import Field, StringConstraints, ValidationError
from sqlmodel import col

from api.context import Context, context_of
from api.http.body import BodyRequest, parse, read
from api.http.headers import takes_idempotency_key, takes_request_id
from api.http.idempotency import key_of
from api.http.problems import MAX_BODY, explain
from api.http.responses import ResponseBody, respond
from models.audit import Actor, ActorKind, Change
from models.db.session import TenantSession
from models.errors import Invalid, NotFound
from models.people.tables import Merchant
from models.platform import signed_links as links
from models.surveys.survey import answer_survey as record_answer
from models.surveys.tables import Survey
from models.tickets.repository import lock, save, with_id
from models.tickets.tables import Ticket
from models.value import Value

router = APIRouter(prefix="/surveys", tags=["surveys"], dependencies=[Depends(takes_request_id)])
Token = Annotated[str, Path(max_length=500, description="the signed token of the link")]


class AnswerSurvey(Value):
    score: Annotated[int, Field(ge=1, le=5)]
    comment: Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")] | None = None


class SurveyResponse(ResponseBody):
    ticket_number: int
    merchant_name: str
    state: Literal["open", "answered", "over"]
    expires_at: datetime
    score: int | None
    comment: str | None


class _Asked(NamedTuple):
    survey: Survey
    ticket: Ticket
    merchant: Merchant


@router.get("/{token}", response_model=SurveyResponse)
async def get_survey(token: Token, request: Request) -> Response:
    """The survey as JSON, or as a page for a browser."""
    context = context_of(request)
    merchant_id, survey_id = _named(context, token)
    async with context.database.reading(merchant_id) as session:
        asked = await _find(session, survey_id)
    return _respond(request, _shown(asked, context.now()))


@router.post(
    "/{token}",
    response_model=SurveyResponse,
    max_body_size=MAX_BODY,
    dependencies=[Depends(takes_idempotency_key)],
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": AnswerSurvey.model_json_schema()}}}},
)
async def answer_survey(token: Token, request: Request) -> Response:
    """Score 1 to 5 and perhaps a comment, as JSON or as the form of the page."""
    context = context_of(request)
    now, (merchant_id, survey_id) = context.now(), _named(context, token)
    whole = await read(request)
    given, once = _given(whole), await key_of(whole, merchant_id, f"survey {survey_id}")
    async with context.database.writing(merchant_id) as session:
        if once and (stored := await once.stored(session, now)):
            return _respond_again(request, stored)
        asked = await _find(session, survey_id)
        change = Change(by=_reporter(asked.ticket), at=now, request_id=request.scope["request_id"])
        shown = _shown(asked._replace(survey=await _answered(session, asked, given, change)), now)
        if once:
            await once.store(session, respond(shown), now)
    return _respond(request, shown)


def _named(context: Context, token: str) -> tuple[int, int]:
    content = links.read(context.signing_key, "survey", token)
    if content is None:
        raise NotFound("survey")
    merchant_id, survey_id = content
    return int(str(merchant_id)), int(str(survey_id))


def _given(request: BodyRequest) -> AnswerSurvey:
    content = request.content
    if isinstance(content, bytes) and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        content = {name: values[-1] for name, values in parse_qs(content.decode(errors="replace")).items()}
    elif isinstance(content, bytes):
        content = parse(content)  # JSON, whatever the client calls it
    try:
        return AnswerSurvey.model_validate(content)
    except ValidationError as invalid:
        raise Invalid.of(explain([{**each, "loc": ("body", *each["loc"])} for each in invalid.errors()])) from None


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


def _reporter(ticket: Ticket) -> Actor:
    return Actor(kind=ActorKind.REPORTER, id=ticket.reporter_id, name="")


async def _answered(session: TenantSession, asked: _Asked, given: AnswerSurvey, change: Change) -> Survey:
    ticket = await lock(session, with_id(asked.ticket.id), change)
    survey = await record_answer(ticket, asked.survey.id, given.score, given.comment)
    await save(ticket)
    return survey


def _shown(asked: _Asked, now: datetime) -> SurveyResponse:
    survey = asked.survey
    is_over = survey.cancelled_at is not None or survey.expires_at <= now
    state: Literal["open", "answered", "over"] = "answered" if survey.answered_at else "over" if is_over else "open"
    shown = survey.model_dump(include={"expires_at", "score", "comment"})
    return SurveyResponse(**shown, state=state, ticket_number=asked.ticket.number, merchant_name=asked.merchant.name)


def _respond_again(request: Request, stored: Response) -> Response:
    """What was stored is the content; the shape is the one that is asked for now."""
    again = _respond(request, SurveyResponse.model_validate_json(bytes(stored.body)))
    again.headers["Idempotent-Replayed"] = "true"
    return again


def _respond(request: Request, shown: SurveyResponse) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return Response(_PAGE.render(survey=shown), media_type="text/html", headers=_OF_PAGE)
    return respond(shown, headers={"Cache-Control": "no-store"})


# The one page that the API shows to a person. No script, nothing from elsewhere; what people wrote is escaped.
_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>How did we do?</title>
<style>body{font:18px/1.5 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1rem;margin:.2rem}
textarea{font:inherit;width:100%;margin:1rem 0}</style>
<h1>How did we do?</h1><p>{{ survey.merchant_name }}, your ticket #{{ survey.ticket_number }}.</p>
{% if survey.state == "open" %}<form method="post">
<label>Anything to add?<textarea name="comment" rows="3" maxlength="4000"></textarea></label>
{% for score in range(1, 6) %}<button name="score" value="{{ score }}">{{ score }}</button>{% endfor %}
<p>1 is poor, 5 is excellent.</p></form>
{% elif survey.state == "answered" %}<p>Thank you, your answer is noted.</p>
{% else %}<p>This survey is over.</p>{% endif %}</html>""")
_OF_PAGE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
