"""The reporter's page of one ticket, behind the link in their e-mails: public, signed, without script. A form writes a reply.

No token of the identity service is needed, so these are no :class:`TransactionRoute`: the link stands for the reporter, and names the
merchant. Nothing tells a link that was never good from one that has ended.
"""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.context import Context, context_of
from api.http.admission import takes_of_address
from api.http.body import read
from api.http.problems import MAX_BODY
from api.portal.conversation import STATUS, Opened, conversation, find, home_of, named_by, not_deleted, opens_another
from api.portal.form import ReplyForm
from api.portal.pages import HEADERS, PageRoute, page
from api.tickets.requests import MAX_TEXT
from models.audit import SYSTEM, Actor, ActorKind, Change
from models.db.session import TenantSession
from models.errors import HelpdeskError, InProgress, NotFound
from models.platform.signed_links import sign
from models.portal.link import PortalLink, link_of, token_of
from models.portal.renew import renew_link
from models.surveys.survey import unanswered_survey
from models.tickets.aggregate import TicketAggregate
from models.tickets.comments import needs_follow_up, reply
from models.tickets.open import open_follow_up
from models.tickets.repository import lock, save
from models.tickets.tables import Ticket

Token = Annotated[str, Path(max_length=500)]
Before = Annotated[int | None, Query(ge=1, lt=2**63)]
_SENT = "?sent=1#conversation"


class PortalRoute(PageRoute):
    """For people only. A link that does not work, for whatever reason, leads to the page on which another one can be asked for."""

    def is_for_people(self, _request: Request) -> bool:
        return True

    def refuse(self, request: Request, error: HelpdeskError) -> Response:
        if isinstance(error, NotFound):
            return page("over.html", error.status, token=request.path_params["token"])
        return super().refuse(request, error)


router = APIRouter(
    prefix="/portal/tickets/{token}", route_class=PortalRoute, include_in_schema=False, dependencies=[Depends(takes_of_address)]
)


@router.get("")
async def show_ticket(token: Token, request: Request, *, before: Before = None, sent: bool = False) -> Response:
    context = context_of(request)
    link = _good(context, token, request)
    async with context.database.reading(link.merchant_id) as session:
        opened = await find(session, link)
        shown = await _content(session, opened, context, before)
    return page("ticket.html", **shown | {"is_sent": sent})


@router.post("/messages", max_body_size=MAX_BODY)
async def write_reply(token: Token, request: Request) -> Response:
    """A public reply, as the reporter's by the API: it reopens, or opens a follow-up where it comes too late."""
    context = context_of(request)
    link = _good(context, token, request)
    form = ReplyForm.of(await (await read(request)).body())
    try:
        async with context.database.writing(link.merchant_id) as session:
            response = await _written(session, link, form, request)
    except InProgress:  # the first click is at work
        return _back_to(token)
    context.trigger_relay()
    return response


@router.post("/link", max_body_size=MAX_BODY)
async def send_link(token: Token, request: Request) -> Response:
    """An e-mail with a new link, to the address of the reporter. The response is the same whatever there is."""
    context = context_of(request)
    if (link := link_of(context.signing_keys, token)) is not None:
        change = Change(by=SYSTEM, at=context.now(), request_id=request.scope["request_id"])  # whose hands the link is in is not known
        async with context.database.writing(link.merchant_id) as session:
            await _renew(session, link, change)
        context.trigger_relay()
    return page("link_sent.html")


def _good(context: Context, token: str, request: Request) -> PortalLink:
    """Raises: NotFound: not ours, or expired."""
    link = link_of(context.signing_keys, token)
    if link is None or link.expires_at <= context.now():
        raise NotFound("request")
    request.scope["merchant_id"] = link.merchant_id
    return link


async def _written(session: TenantSession, link: PortalLink, form: ReplyForm, request: Request) -> Response:
    context, once = context_of(request), form.once_for(link)
    now, keys = context.now(), context.signing_keys
    if await once.stored(session, now) is not None:
        return _back_to(token_of(keys, link), _SENT)
    opened = await find(session, link)
    change = Change(by=_actor(opened), at=now, request_id=request.scope["request_id"])
    ticket = await lock(session, named_by(link), change)  # from here on ``opened`` shows what it is under the lock: it may be merged by now
    flaw = form.flaw or (await home_of(session, opened) and "This request goes on as another one: please write there. Nothing was sent.")
    if flaw:
        shown = await _content(session, opened, context, None)
        return page("ticket.html", 422, **shown | {"error": flaw, "text": form.text[:MAX_TEXT]})
    written = await _reply(session, ticket, form.text)
    await once.store(session, Response(status_code=303), now)  # without the link: it is kept nowhere
    return _back_to(token_of(keys, _link_to(link, written)), _SENT)


def _actor(opened: Opened) -> Actor:
    return Actor(kind=ActorKind.REPORTER, id=opened.reporter.id, name=opened.reporter.name)


async def _reply(session: TenantSession, ticket: TicketAggregate, text: str) -> Ticket:
    """The ticket that has the text now: this one, or a follow-up."""
    if needs_follow_up(ticket):
        return await open_follow_up(session, ticket.row, text, ticket.change)
    await reply(ticket, text)
    await save(ticket)
    return ticket.row


async def _renew(session: TenantSession, link: PortalLink, change: Change) -> None:
    try:
        ticket = await lock(session, not_deleted(link.ticket_id), change)
    except NotFound:
        return
    await renew_link(ticket, link.generation)
    await save(ticket)


def _link_to(link: PortalLink, ticket: Ticket) -> PortalLink:
    """A link to another ticket of the same reporter. It lasts no longer than the one that led here: no page prolongs a link."""
    return link._replace(ticket_id=ticket.id, generation=ticket.link_generation)


def _back_to(token: str, part: str = "") -> Response:
    return Response(status_code=303, headers={**HEADERS, "Location": f"/portal/tickets/{token}{part}"})


async def _content(session: TenantSession, opened: Opened, context: Context, before: int | None) -> dict[str, Any]:
    """What the page says."""
    link, ticket, now, keys = opened.link, opened.ticket, context.now(), context.signing_keys
    home, survey_id = await home_of(session, opened), await unanswered_survey(session, ticket.id, now)
    return {
        "ticket": ticket,
        "merchant_name": opened.merchant.name,
        "status": STATUS[ticket.status],
        **await conversation(session, opened, before),
        "home": home and {"number": home.number, "token": token_of(keys, _link_to(link, home))},
        "survey_token": survey_id and sign(keys, "survey", [link.merchant_id, survey_id]),
        "opens_another": opens_another(ticket, now),
        "token": token_of(keys, link),
        "expires_at": link.expires_at,
        "once": secrets.token_hex(8),
        "max_text": MAX_TEXT,
        "text": "",
        "error": "",
        "is_sent": False,
    }
