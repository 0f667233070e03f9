"""The survey behind the link in the e-mail: public, signed, answered once. A browser gets a page, a program gets JSON.

No token is needed, so these are no :class:`TransactionRoute`: the link stands for the person, and names the merchant.
"""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from urllib.parse import parse_qs

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field, StringConstraints, ValidationError
from sqlmodel import col

from api.context import Context, context_of
from api.http.admission import takes_of_address
from api.http.body import BodyRequest, parse, read
from api.http.headers import takes_idempotency_key, takes_request_id
from api.http.idempotency import key_of
from api.http.problems import SMALL_BODY, explain
from api.http.responses import ResponseBody, respond
from api.portal.pages import PageRoute, page, wants_page
from models.audit import Actor, ActorKind, Change
from models.db.session import TenantSession
from models.errors import Conflict, Invalid, NotFound
from models.people.tables import Merchant
from models.platform import signed_links as links
from models.surveys.survey import answer_survey as record_answer
from models.surveys.tables import Survey
from models.tickets.repository import lock, save, with_id
from models.tickets.tables import Ticket
from models.value import Value

router = APIRouter(
    prefix="/surveys", tags=["surveys"], route_class=PageRoute, dependencies=[Depends(takes_request_id), Depends(takes_of_address)]
)
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
    max_body_size=SMALL_BODY,
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
        try:
            survey = await _answered(session, asked, given, change)
        except Conflict:
            if not (wants_page(request) and _is_noted(survey := asked.survey, given)):
                raise
        shown = _shown(asked._replace(survey=survey), now)
        if once:
            await once.store(session, respond(shown), now)
    return _respond(request, shown)


def _named(context: Context, token: str) -> tuple[int, int]:
    content = links.read(context.signing_keys, "survey", token)
    if content is None:
        raise NotFound("survey")
    merchant_id, survey_id = content
    return int(str(merchant_id)), int(str(survey_id))


def _given(request: BodyRequest) -> AnswerSurvey:
    content, is_form = request.content, request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if isinstance(content, bytes):
        content = _fields(content) if is_form else parse(content)  # JSON, whatever the client calls it
    try:
        return AnswerSurvey.model_validate(content, strict=not is_form)  # a form has texts only; in JSON true is not 1
    except ValidationError as invalid:
        raise Invalid.of(explain([{**each, "loc": ("body", *each["loc"])} for each in invalid.errors()])) from None


def _fields(form: bytes) -> dict[str, str]:
    """What was filled in. Browsers send line breaks as CRLF, and count them as one character."""
    try:
        fields = parse_qs(form.decode(errors="replace"), max_num_fields=10)
        return {name: values[-1].replace("\r\n", "\n") for name, values in fields.items()}
    except ValueError:
        raise Invalid("too_many_fields", "The form has more than ten fields.", "") from None


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


def _is_noted(survey: Survey, given: AnswerSurvey) -> bool:
    """A double click: the browser shows the response to the second one, and what was clicked is noted."""
    return (survey.score, survey.comment) == (given.score, given.comment)


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
    if wants_page(request):
        return page("survey.html", survey=shown)
    return respond(shown, headers={"Cache-Control": "no-store"})
