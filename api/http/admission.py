"""Who is let in, and what it counts: nobody's requests are in the way of another's.

A request with a good token counts on its subject and on its merchant; one without, and one to a public route, on the client's address.
A good token is never refused for what others do at its address: behind one address there may be a whole office.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Final

from fastapi import Request

from api.auth.caller import Caller, verified
from api.context import context_of
from models.errors import HelpdeskError
from models.people.permissions import Permission
from models.platform.addresses import BASE

DEAR: Final = 10
COSTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "GET /tickets/count": DEAR,
        "DELETE /agents/{agent_id}": DEAR,
        "POST /agents/{agent_id}/handover": DEAR,
        "GET /audit": DEAR,
        "GET /reports/sla": DEAR,
        "GET /reports/queues": DEAR,
        "POST /calendars/preview": DEAR,
        "POST /calendars/{calendar_id}/preview": DEAR,
        "POST /calendars/{calendar_id}/recalculations": DEAR,
        "POST /sla-policies/preview": DEAR,
        "POST /sla-policies/{policy_id}/preview": DEAR,
        "POST /sla-policies/{policy_id}/recalculations": DEAR,
        "POST /escalation-ladders/{ladder_id}/preview": DEAR,
        "POST /escalation-ladders/{ladder_id}/recalculations": DEAR,
        "POST /sla/checks": DEAR,
        "POST /notifications/replays": DEAR,
    }
)
"""What reads or changes many rows for one request. Every other route costs one, and :data:`DEAR` with a full-text search (``q``)."""


def cost_of(method: str, path: str) -> int:
    """What a request to a route costs, by its method and its path with the names of its parameters."""
    return COSTS.get(f"{method} {path.removeprefix(BASE)}", 1)


async def admit(request: Request, cost: int, permission: Permission | None = None) -> Caller:
    """The caller behind the request's token, after it was counted.

    Raises:
        RateLimited: too much was asked. HelpdeskError: what :func:`verified` raises.
    """
    limits = context_of(request).rate_limits
    try:
        caller = await verified(request, permission)
    except HelpdeskError:
        await takes_of_address(request)
        raise
    is_search = bool(request.query_params.get("q"))
    await limits.take(caller.claims.sub, caller.merchant_id, max(cost, DEAR) if is_search else cost)
    return caller


async def takes_of_address(request: Request) -> None:
    """For the routes that need no token."""
    await context_of(request).rate_limits.take_of_address(_address_of(request))


def _address_of(request: Request) -> str:
    """An IPv6 client has a whole /64 to itself (RFC 6177). Behind a proxy it is the client's own only if the proxy is trusted."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
