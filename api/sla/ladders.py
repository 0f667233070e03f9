"""Escalation ladders: who is told, and who takes over, when a target is at risk. Staff reads them; an admin or an operator publishes."""

from fastapi import APIRouter, Response

from api.auth.caller import allow
from api.http.headers import IfMatch
from api.http.pagination import Page, Paged
from api.http.path import LadderId, Version
from api.http.transaction import CurrentTransaction, Session, TransactionRoute
from api.jobs import JobResponse
from api.sla import versions
from api.sla.dry_runs import ANNOUNCED, dry_run
from api.sla.requests import LadderBody, Preview, Proposal
from api.sla.responses import LadderResponse
from models.people.permissions import Permission
from models.sla.tables import ConfigurationKind

router = APIRouter(prefix="/escalation-ladders", tags=["sla"], route_class=TransactionRoute)
_KIND = ConfigurationKind.LADDER


@router.get("", response_model=Page[LadderResponse], dependencies=[allow(Permission.READ_CONFIGURATION)])
async def list_escalation_ladders(session: Session, pager: Paged) -> Response:
    """The current version of each ladder."""
    return await versions.list_current(session, pager, _KIND, LadderResponse)


@router.post("", status_code=201, response_model=LadderResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)])
async def create_ladder(body: LadderBody, transaction: CurrentTransaction) -> Response:
    """Publish a new ladder."""
    return await versions.create(transaction, _KIND, "/escalation-ladders", body, LadderResponse)


@router.get("/{ladder_id}", response_model=LadderResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_ladder(ladder_id: LadderId, session: Session) -> Response:
    """The current version of a ladder."""
    return await versions.get_current(session, _KIND, ladder_id, LadderResponse)


@router.get("/{ladder_id}/versions", response_model=Page[LadderResponse], dependencies=[allow(Permission.READ_CONFIGURATION)])
async def list_ladder_versions(ladder_id: LadderId, session: Session, pager: Paged) -> Response:
    """Every version, the newest first."""
    return await versions.list_versions(session, pager, _KIND, ladder_id, LadderResponse)


@router.post(
    "/{ladder_id}/versions", status_code=201, response_model=LadderResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)]
)
async def publish_ladder_version(
    ladder_id: LadderId, body: LadderBody, transaction: CurrentTransaction, if_match: IfMatch = None
) -> Response:
    """Publish the next version, a whole new definition.

    New tickets are opened under it at once; a ticket keeps the version under which it was opened.
    """
    before = await versions.held_at(transaction.session, _KIND, ladder_id, if_match, LadderResponse)
    return await versions.publish(transaction, before, "/escalation-ladders", body, LadderResponse)


@router.get("/{ladder_id}/versions/{version}", response_model=LadderResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_ladder_version(ladder_id: LadderId, version: Version, session: Session) -> Response:
    """One version, as it was published."""
    return await versions.get_version(session, _KIND, ladder_id, version, LadderResponse)


@router.post("/{ladder_id}/preview", dependencies=[allow(Permission.TRY_CONFIGURATION)], **ANNOUNCED)
async def dry_run_ladder(ladder_id: LadderId, transaction: CurrentTransaction, body: Proposal[LadderBody] | None = None) -> Response:
    """A dry run: how many open tickets a definition would retime, and which would be overdue at once; or a forecast for `ticketSample`."""
    return await dry_run(transaction, _KIND, ladder_id, body or Preview(), body.definition if body else None)


@router.post("/{ladder_id}/recalculations", status_code=202, response_model=JobResponse, dependencies=[allow(Permission.RECALCULATE)])
async def recalculate_ladder(ladder_id: LadderId, transaction: CurrentTransaction) -> Response:
    """Pin every open ticket that it concerns to the newest version: what was spent stays spent."""
    return await versions.recalculate(transaction, _KIND, ladder_id)
