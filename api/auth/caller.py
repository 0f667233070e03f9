"""Who asks, and for which merchant."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.auth.claims import Claims, Every
from api.auth.tokens import InvalidToken
from api.context import Context
from models.audit import Actor, ActorKind
from models.db.session import TenantSession
from models.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from models.people.directory import agent_with_sub, reporter_with_token
from models.people.roles import Role

STAFF = frozenset({Role.AGENT, Role.SENIOR, Role.LEAD, Role.ADMIN, Role.OPERATOR})
LEADING = frozenset({Role.LEAD, Role.ADMIN, Role.OPERATOR})
ADMINS = frozenset({Role.ADMIN, Role.OPERATOR})
_bearer = HTTPBearer(auto_error=False, description="An ES256 token of the identity service")


class Caller:
    """A verified token, acting for one merchant."""

    def __init__(self, claims: Claims, merchant_id: int) -> None:
        self.claims = claims
        self.merchant_id = merchant_id

    @property
    def is_staff(self) -> bool:
        return not self.claims.roles.isdisjoint(STAFF)

    def require(self, roles: frozenset[Role]) -> None:
        if self.claims.roles.isdisjoint(roles):
            raise Forbidden

    def require_whole_merchant(self) -> None:
        """A token that is good for certain organizers does not decide for all of the merchant."""
        if self.claims.organizer_ids is not None:
            raise Forbidden("The token is good for certain organizers only.")

    async def actor(self, session: TenantSession) -> Actor:
        """The agent whose ``sub`` the token has, somebody of the staff, or the reporter."""
        claims = self.claims
        if not self.is_staff:
            reporter = await reporter_with_token(session, claims.sub, claims.name, claims.email)
            return Actor(kind=ActorKind.REPORTER, id=reporter.id, name=reporter.name)
        agent = await agent_with_sub(session, claims.sub)
        if agent is None:
            return Actor(kind=ActorKind.STAFF, name=claims.name or claims.sub)
        return Actor(kind=ActorKind.AGENT, id=agent.id, name=agent.name)


async def caller(request: Request, _scheme: Annotated[object, Depends(_bearer)]) -> Caller:
    context: Context = request.app.state.context
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("There is no bearer token.", headers={"WWW-Authenticate": 'Bearer realm="helpdesk"'})
    try:
        claims = await context.verifier.verify(token.strip())
    except InvalidToken as invalid:
        challenge = f'Bearer realm="helpdesk", error="invalid_token", error_description="{invalid.reason}"'
        raise Unauthenticated(f"The token is not accepted: {invalid.reason}.", headers={"WWW-Authenticate": challenge}) from None
    found = Caller(claims, _merchant(claims, request.headers.get("x-merchant-id")))
    request.scope["merchant_id"] = found.merchant_id
    return found


def _merchant(claims: Claims, named: str | None) -> int:
    if named is None:
        if claims.merchant_ids is Every.MERCHANT or len(claims.merchant_ids) != 1:
            raise BadRequest("The token is good for several merchants: name one in X-Merchant-Id.", code="merchant_required")
        return claims.merchant_ids[0]
    if not (named.isascii() and named.isdigit() and len(named) < 20 and int(named) < 2**63 and claims.may_act_for(int(named))):
        raise NotFound("merchant")
    return int(named)


async def staff(found: Annotated[Caller, Depends(caller)]) -> Caller:
    found.require(STAFF)
    return found


async def admin(found: Annotated[Caller, Depends(caller)]) -> Caller:
    """Who decides for all of the merchant."""
    found.require(ADMINS)
    found.require_whole_merchant()
    return found


AnyCaller = Annotated[Caller, Depends(caller)]
StaffCaller = Annotated[Caller, Depends(staff)]
AdminCaller = Annotated[Caller, Depends(admin)]
