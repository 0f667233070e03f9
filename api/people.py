"""Who the caller is."""

from typing import Literal

from fastapi import APIRouter, Response

from api.auth.caller import Caller, allow
from api.http.responses import Id, ResponseBody, respond
from api.http.transaction import CurrentCaller, Session, TransactionRoute
from models.people.directory import agent_with_sub
from models.people.permissions import Permission, Scope, granted
from models.people.roles import Role

router = APIRouter(tags=["people"], route_class=TransactionRoute)


class GrantResponse(ResponseBody):
    """``own``: on what is theirs, for a token of some organizers on what is about their tickets; ``any``: on all that the token reaches."""

    permission: Permission
    scope: Literal["own", "any"]


class MeResponse(ResponseBody):
    """``organizerIds`` is null for all of the merchant's. ``permissions`` are those of the token: what is not listed is refused."""

    sub: str
    name: str | None
    email: str | None
    is_email_verified: bool
    roles: list[Role]
    merchant_id: Id
    organizer_ids: list[Id] | None
    agent_id: Id | None
    permissions: list[GrantResponse]


@router.get("/me", response_model=MeResponse, dependencies=[allow(Permission.READ_SELF)])
async def get_me(session: Session, caller: CurrentCaller) -> Response:
    """Who the token is, and what it may do."""
    claims = caller.claims
    agent = await agent_with_sub(session, claims.sub) if caller.viewer.is_staff else None
    me = MeResponse(
        **claims.model_dump(include={"sub", "name", "email", "organizer_ids"}),
        is_email_verified=claims.verified_email is not None,
        roles=sorted(claims.roles),
        merchant_id=caller.merchant_id,
        agent_id=agent.id if agent else None,
        permissions=_grants(caller),
    )
    return respond(me)


def _grants(caller: Caller) -> list[GrantResponse]:
    reach = granted(caller.claims.roles, caller.claims.organizer_ids)
    return [GrantResponse(permission=each, scope="any" if scope is Scope.ANY else "own") for each, scope in reach.items()]
