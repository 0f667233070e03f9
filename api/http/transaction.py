"""One request, one transaction: what every route of the API has in common, in the order in which it happens."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.params import Depends as Declared
from fastapi.routing import APIRoute

from api.auth.caller import Allowed, Caller
from api.context import Context, context_of
from api.http.admission import admit, cost_of
from api.http.body import WITH_BODY, max_bytes, read
from api.http.headers import takes_idempotency_key
from api.http.idempotency import Once, key_of
from api.http.path import known
from models.audit import Change
from models.db.session import TenantSession
from models.people.directory import require_merchant
from models.people.permissions import Permission, Scope
from models.tickets.visibility import Viewer, find

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ContinueOn(Exception):
    """Not here, but on ``ticket_id``: the route is run once more, in a transaction of its own.

    The lock of the first ticket is given back before the other one is locked: a merge takes two in the order of their ids, and a
    transaction that holds one of them and waits for the other, in any order, could wait in a circle with it.
    """

    def __init__(self, ticket_id: int) -> None:
        super().__init__(ticket_id)
        self.ticket_id = ticket_id


class Transaction:
    """What a request has while its route runs. ``continued_on`` is the ticket that :class:`ContinueOn` named."""

    def __init__(self, session: TenantSession, caller: Caller, at: datetime, request: Request, continued_on: int | None = None) -> None:
        self.session = session
        self.caller = caller
        self.at = at
        self.continued_on = continued_on
        self._request_id: str = request.scope["request_id"]
        self._change: Change | None = None
        session.info["viewer"] = caller.viewer
        session.info["workflows_url"] = context_of(request).workflows_url

    async def change(self) -> Change:
        """Who changes what, and when. Looked up when it is first asked for: to read is no reason to add a reporter."""
        if self._change is None:
            self._change = Change(by=await self.caller.actor(self.session), at=self.at, request_id=self._request_id)
        return self._change


class TransactionRoute(APIRoute):
    """A route that needs a token, has a permission and runs in one transaction.

    Verify the token; count the request; check the permission; read the body; open the transaction; replay the response to an
    Idempotency-Key; call the route; store its response under the key; commit; trigger the relay. Whatever is raised rolls back.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        dependencies: list[Declared] = list(options.pop("dependencies", None) or ())
        self.permission = _permission_of(dependencies, path)
        methods = set(options.get("methods") or ())
        if "POST" in methods:
            dependencies.append(Declared(takes_idempotency_key))
        if methods & WITH_BODY:
            options["max_body_size"] = options.get("max_body_size") or max_bytes(path)
        super().__init__(path, endpoint, dependencies=dependencies, **options)

    def get_route_handler(self) -> _Handler:
        call, permission, body_field = super().get_route_handler(), self.permission, self.body_field
        costs = {method: cost_of(method, self.path_format) for method in self.methods or ()}

        async def handle(request: Request) -> Response:
            caller = await admit(request, costs[request.method], permission)
            await _require(request, caller, permission)
            if request.method == "GET":
                return await _in_reading(request, caller, call)
            whole = await read(request, body_field) if request.method in WITH_BODY else request
            return await _in_writing(whole, caller, call)

        return handle


def _permission_of(dependencies: Sequence[Declared], path: str) -> Permission:
    for each in dependencies:
        if isinstance(each.dependency, Allowed):
            return each.dependency.permission
    raise TypeError(f"{path} has no permission: dependencies=[allow(...)]")


async def _require(request: Request, caller: Caller, permission: Permission) -> None:
    """A ticket that the caller may not see is not there (404), whatever they may do; one that they see is not theirs to change (403)."""
    if caller.may(permission) is Scope.SEEN:
        async with context_of(request).database.reading(caller.merchant_id) as session:
            await find(session, caller.viewer, known(request.path_params["ticket_id"]))
    caller.require(permission)


async def _require_merchant(context: Context, session: TenantSession) -> None:
    """A token may name a merchant that is not there. It is asked for once: a merchant is never removed.

    Raises:
        NotFound: there is no such merchant.
    """
    if session.merchant_id not in context.known_merchants:
        await require_merchant(session)
        context.known_merchants.add(session.merchant_id)


async def _in_reading(request: Request, caller: Caller, call: _Handler) -> Response:
    context = context_of(request)
    async with context.database.reading(caller.merchant_id) as session:
        await _require_merchant(context, session)
        request.state.transaction = Transaction(session, caller, context.now(), request)
        return await call(request)


async def _in_writing(request: Request, caller: Caller, call: _Handler) -> Response:
    once = await key_of(request, caller.merchant_id, caller.claims.sub)
    continued_on: int | None = None
    while True:  # once more for each merge: a ticket is merged into another one once, so this has an end
        try:
            return await _written(request, caller, call, once, continued_on)
        except ContinueOn as merged:
            continued_on = merged.ticket_id


async def _written(request: Request, caller: Caller, call: _Handler, once: Once | None, continued_on: int | None) -> Response:
    context = context_of(request)
    now = context.now()
    async with context.database.writing(caller.merchant_id) as session:
        await _require_merchant(context, session)
        if once and (stored := await once.stored(session, now)):
            return stored
        request.state.transaction = Transaction(session, caller, now, request, continued_on)
        response = await call(request)
        if once:
            await once.store(session, response, now)
    context.trigger_relay()
    return response


def transaction_of(request: Request) -> Transaction:
    transaction: Transaction = request.state.transaction
    return transaction


def viewer_of(session: TenantSession) -> Viewer:
    """Who looks at what this session reads."""
    viewer: Viewer = session.info["viewer"]
    return viewer


def workflows_url_of(session: TenantSession) -> str | None:
    """Where the Temporal UI shows workflows, for those who may read them; None also where no UI is known."""
    url: str | None = session.info["workflows_url"]
    return url if url and viewer_of(session).may(Permission.READ_WORKFLOW) is Scope.ANY else None


# What routes ask for. Async although nothing waits in them: FastAPI sends a plain function through a thread pool.


async def _transaction(request: Request) -> Transaction:
    return transaction_of(request)


async def _session(request: Request) -> TenantSession:
    return transaction_of(request).session


async def _caller(request: Request) -> Caller:
    return transaction_of(request).caller


async def _change(request: Request) -> Change:
    return await transaction_of(request).change()


async def _now(request: Request) -> datetime:
    return transaction_of(request).at


CurrentTransaction = Annotated[Transaction, Depends(_transaction)]
Session = Annotated[TenantSession, Depends(_session)]
CurrentCaller = Annotated[Caller, Depends(_caller)]
CurrentChange = Annotated[Change, Depends(_change)]
Now = Annotated[datetime, Depends(_now)]
