"""A definition is tried before it is published: over open tickets, by a job, or on a described ticket, which is a forecast."""

from typing import Any, Final

from fastapi import Response

from api.http.responses import respond
from api.http.transaction import Transaction
from api.jobs import JobResponse, begun
from api.sla.requests import DescribedTicket, Preview
from api.sla.responses import ForecastResponse, forecast_of
from models.jobs.tables import JobKind
from models.sla.configuration import current, placed, require_sound
from models.sla.definitions import Definition
from models.sla.forecast import forecast
from models.sla.rulebook import PROPOSED, Rulebook, rulebook
from models.sla.tables import ConfigurationKind

ANNOUNCED: Final[dict[str, Any]] = {
    "status_code": 202,
    "response_model": JobResponse,
    "responses": {200: {"model": ForecastResponse, "description": "With `ticketSample`: which policy would be its, and when what is due"}},
}
"""What a route of a dry run responds with."""


async def dry_run(
    transaction: Transaction, kind: ConfigurationKind, configuration_id: int, body: Preview, proposed: Definition | None
) -> Response:
    """``proposed`` is the definition to try; without one the newest version itself is tried."""
    if body.ticket_sample is not None:
        return await _forecast(transaction, kind, configuration_id, body.ticket_sample, proposed)
    request = await _request(transaction, kind, configuration_id, proposed)
    if body.filter is not None:
        request["filter"] = body.filter.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return await begun(transaction, JobKind.PREVIEW, request)


async def _request(
    transaction: Transaction, kind: ConfigurationKind, configuration_id: int, proposed: Definition | None
) -> dict[str, object]:
    request: dict[str, object] = {"rule": kind}
    if configuration_id != PROPOSED:
        version = (await current(transaction.session, kind, configuration_id)).version
        request |= {"ruleId": str(configuration_id), "version": version}
    if proposed is not None:
        sound = await _sound(transaction, configuration_id, proposed)
        request["definition"] = sound.model_dump(mode="json", by_alias=True)
    return request


async def _forecast(
    transaction: Transaction, kind: ConfigurationKind, configuration_id: int, described: DescribedTicket, proposed: Definition | None
) -> Response:
    book, opened_at = await _book(transaction, kind, configuration_id, proposed), described.created_at or transaction.at
    candidate_id = configuration_id if kind is ConfigurationKind.POLICY else None
    return respond(forecast_of(await forecast(transaction.session, book, described, opened_at, candidate_id), opened_at))


async def _book(transaction: Transaction, kind: ConfigurationKind, configuration_id: int, proposed: Definition | None) -> Rulebook:
    if configuration_id != PROPOSED:
        await current(transaction.session, kind, configuration_id)
    book = await rulebook(transaction.session)
    return book if proposed is None else book.proposing(configuration_id, await _sound(transaction, configuration_id, proposed))


async def _sound(transaction: Transaction, configuration_id: int, proposed: Definition) -> Definition:
    """What may be published, in the place that it would have."""
    await require_sound(transaction.session, proposed, transaction.at, configuration_id=configuration_id, place="/definition")
    return await placed(transaction.session, configuration_id, proposed)
