"""Who asks, for which merchant, and what they may do."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Depends as Declared
from fastapi.security import HTTPBearer

from api.auth.claims import Claims, Every
from api.auth.tokens import InvalidToken
from api.context import context_of
from api.http.headers import MerchantId, RequestId
from api.http.path import known
from models.audit import Actor, ActorKind
from models.db.session import TenantSession
from models.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from models.people.directory import Identity, agent_with_sub, reporter_with_token
from models.people.merchants import DIRECTORY
from models.people.permissions import OF_ALL_MERCHANTS, OF_ALL_OR_ONE, Permission, Scope, may
from models.tickets.visibility import Viewer

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An ES256 token of the identity service")


class Caller:
    """A verified token, acting for one merchant."""

    def __init__(self, claims: Claims, merchant_id: int) -> None:
        self.claims = claims
        self.merchant_id = merchant_id
        self.viewer = Viewer(merchant_id, claims.roles, claims.organizer_ids, claims.sub, claims.verified_email)

    @property
    def identity(self) -> Identity:
        claims = self.claims
        return Identity(claims.sub, claims.name, claims.email, is_verified=claims.email_verified)

    def may(self, permission: Permission) -> Scope:
        return self.viewer.may(permission)

    def require(self, permission: Permission) -> None:
        """Raises: NotFound: there is no such thing for them. Forbidden: it is not theirs to do."""
        scope = self.may(permission)
        if scope is Scope.HIDDEN:
            raise NotFound("thing")
        if scope in (Scope.NONE, Scope.SEEN):
            raise self.limited() if may(self.claims.roles, permission) > Scope.SEEN else Forbidden

    def require_all_merchants(self) -> None:
        """Raises: Forbidden: the token is for certain merchants. BadRequest: it is for all, and the request names one."""
        _directory(self.claims)
        if self.merchant_id != DIRECTORY:
            raise BadRequest("This is for all merchants: leave X-Merchant-Id out.", code="merchant_not_wanted")

    def require_merchant(self) -> None:
        """Raises: BadRequest: the request is for one merchant, and names none."""
        if self.merchant_id == DIRECTORY:
            raise BadRequest("The token is good for all merchants: name one in X-Merchant-Id.", code="merchant_required")

    def limited(self) -> Forbidden:
        return Forbidden("The token is good for certain organizers only.")

    async def actor(self, session: TenantSession) -> Actor:
        """The agent whose ``sub`` the token has, a person of the staff, or the reporter, who is added when they first come."""
        claims = self.claims
        if not self.viewer.is_staff:
            reporter = await reporter_with_token(session, self.identity)
            return Actor(kind=ActorKind.REPORTER, id=reporter.id, name=reporter.name)
        agent = await agent_with_sub(session, claims.sub)
        if agent is None:
            return Actor(kind=ActorKind.STAFF, name=claims.name or claims.sub)
        return Actor(kind=ActorKind.AGENT, id=agent.id, name=agent.name)


class Allowed:
    """What a route declares of itself: its permission, the token, and the headers that every signed-in request takes."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(
        self, _token: Annotated[object, Depends(_bearer)], _merchant: MerchantId = None, _request_id: RequestId = None
    ) -> None:
        """All of it was checked before: see api/http/transaction.py."""


def allow(permission: Permission) -> Declared:
    """For ``dependencies=`` of a route. Each route of a :class:`TransactionRoute` has one."""
    return Declared(Allowed(permission))


async def verified(request: Request, permission: Permission | None = None) -> Caller:
    """The caller behind the request's token; ``permission`` is that of the route: some act for no merchant.

    Raises:
        Unauthenticated: no token, or a bad one. Unavailable: no key is known. BadRequest: X-Merchant-Id is needed.
        NotFound: it names a merchant for which the token is not good. Forbidden: the route needs a token for all merchants.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(
            "There is no bearer token: send Authorization: Bearer <token>.", headers={"WWW-Authenticate": 'Bearer realm="helpdesk"'}
        )
    try:
        claims = await context_of(request).verifier.verify(token.strip())
    except InvalidToken as invalid:
        request.scope["refused_for"] = invalid.reason
        challenge = f'Bearer realm="helpdesk", error="invalid_token", error_description="{invalid.reason}"'
        raise Unauthenticated(
            f"The token is not accepted: {invalid.reason}; get a new one from the identity service.",
            headers={"WWW-Authenticate": challenge},
        ) from None
    request.scope["subject"] = claims.sub
    caller = Caller(claims, _acts_for(request, claims, permission))
    request.scope["merchant_id"] = caller.merchant_id
    return caller


def _acts_for(request: Request, claims: Claims, permission: Permission | None) -> int:
    if permission in OF_ALL_MERCHANTS:
        return _directory(claims)
    named = _named(request, claims)
    if permission in OF_ALL_OR_ONE and named is None and claims.merchant_ids is Every.MERCHANT:
        return DIRECTORY
    return _merchant(claims, named)


def _named(request: Request, claims: Claims) -> str | None:
    """The header, or the path if it names a merchant and the token is good for several."""
    named = request.headers.get("x-merchant-id")
    of_one = claims.merchant_ids is not Every.MERCHANT and len(claims.merchant_ids) == 1
    return request.path_params.get("merchant_id") if named is None and not of_one else named


def _directory(claims: Claims) -> int:
    if claims.merchant_ids is not Every.MERCHANT:
        raise Forbidden('This needs a token for all merchants: an operator\'s whose merchantIds are ["*"].')
    return DIRECTORY


def _merchant(claims: Claims, named: str | None) -> int:
    if named is None:
        if claims.merchant_ids is Every.MERCHANT or len(claims.merchant_ids) != 1:
            raise BadRequest("The token is good for several merchants: name one in X-Merchant-Id.", code="merchant_required")
        return claims.merchant_ids[0]
    merchant_id = known(named, "merchant")
    if not claims.may_act_for(merchant_id):
        raise NotFound("merchant")
    return merchant_id
