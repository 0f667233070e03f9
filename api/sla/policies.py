"""SLA policies: which targets a ticket gets. Staff reads them; an admin or an operator publishes."""

from fastapi import APIRouter, Response

from api.auth.caller import allow
from api.http.headers import IfMatch
from api.http.pagination import Page, Paged
from api.http.path import PolicyId, Version
from api.http.responses import respond
from api.http.transaction import CurrentTransaction, Session, TransactionRoute
from api.jobs import JobResponse
from api.sla import versions
from api.sla.dry_runs import ANNOUNCED, dry_run
from api.sla.requests import PolicyBody, PolicyOrderBody, Preview, Proposal, ProposedPolicy
from api.sla.responses import PolicyOrderResponse, PolicyResponse, place_of
from models.people.permissions import Permission
from models.sla.reorder import reorder
from models.sla.rulebook import PROPOSED, rulebook
from models.sla.tables import ConfigurationKind

router = APIRouter(prefix="/sla-policies", tags=["sla"], route_class=TransactionRoute)
_KIND = ConfigurationKind.POLICY


@router.get("", response_model=Page[PolicyResponse], dependencies=[allow(Permission.READ_CONFIGURATION)])
async def list_sla_policies(session: Session, pager: Paged) -> Response:
    """The current version of each policy."""
    return await versions.list_current(session, pager, _KIND, PolicyResponse)


@router.post("", status_code=201, response_model=PolicyResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)])
async def create_policy(body: PolicyBody, transaction: CurrentTransaction) -> Response:
    """Publish a new policy."""
    return await versions.create(transaction, _KIND, "/sla-policies", body, PolicyResponse)


@router.post("/preview", dependencies=[allow(Permission.TRY_CONFIGURATION)], **ANNOUNCED)
async def dry_run_new_policy(body: ProposedPolicy, transaction: CurrentTransaction) -> Response:
    """A dry run of a new policy: which open tickets it would take, and which policies win the others; or a forecast for `ticketSample`."""
    return await dry_run(transaction, _KIND, PROPOSED, body, body.definition)


@router.get("/order", response_model=PolicyOrderResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_policy_order(session: Session) -> Response:
    """The current policies in the order in which they are tried: a ticket gets the first that matches."""
    return respond(PolicyOrderResponse(data=[place_of(each) for each in (await rulebook(session)).ordered]))


@router.put("/order", response_model=PolicyOrderResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)])
async def set_policy_order(body: PolicyOrderBody, transaction: CurrentTransaction) -> Response:
    """Bring the policies into this order: each gets its place, from 1, as its position; one that had another gets its next version."""
    order = await reorder(transaction.session, body.ids, await transaction.change())
    return respond(PolicyOrderResponse(data=[place_of(each) for each in order]))


@router.get("/{policy_id}", response_model=PolicyResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_policy(policy_id: PolicyId, session: Session) -> Response:
    """The current version of a policy."""
    return await versions.get_current(session, _KIND, policy_id, PolicyResponse)


@router.get("/{policy_id}/versions", response_model=Page[PolicyResponse], dependencies=[allow(Permission.READ_CONFIGURATION)])
async def list_policy_versions(policy_id: PolicyId, session: Session, pager: Paged) -> Response:
    """Every version, the newest first."""
    return await versions.list_versions(session, pager, _KIND, policy_id, PolicyResponse)


@router.post(
    "/{policy_id}/versions", status_code=201, response_model=PolicyResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)]
)
async def publish_policy_version(
    policy_id: PolicyId, body: PolicyBody, transaction: CurrentTransaction, if_match: IfMatch = None
) -> Response:
    """Publish the next version, a whole new definition.

    New tickets are opened under it at once; a ticket keeps the version under which it was opened.
    """
    before = await versions.held_at(transaction.session, _KIND, policy_id, if_match, PolicyResponse)
    return await versions.publish(transaction, before, "/sla-policies", body, PolicyResponse)


@router.get("/{policy_id}/versions/{version}", response_model=PolicyResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_policy_version(policy_id: PolicyId, version: Version, session: Session) -> Response:
    """One version, as it was published."""
    return await versions.get_version(session, _KIND, policy_id, version, PolicyResponse)


@router.post("/{policy_id}/preview", dependencies=[allow(Permission.TRY_CONFIGURATION)], **ANNOUNCED)
async def dry_run_policy(policy_id: PolicyId, transaction: CurrentTransaction, body: Proposal[PolicyBody] | None = None) -> Response:
    """A dry run: how many open tickets a definition would retime, and which would be overdue at once; or a forecast for `ticketSample`."""
    return await dry_run(transaction, _KIND, policy_id, body or Preview(), body.definition if body else None)


@router.post("/{policy_id}/recalculations", status_code=202, response_model=JobResponse, dependencies=[allow(Permission.RECALCULATE)])
async def recalculate_policy(policy_id: PolicyId, transaction: CurrentTransaction) -> Response:
    """Pin every open ticket that it concerns to the newest version: what was spent stays spent."""
    return await versions.recalculate(transaction, _KIND, policy_id)
