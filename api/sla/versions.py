"""What the routes of calendars, policies and ladders have in common: each is read, and published in versions that never change."""

from typing import TypeVar

from fastapi import Response
from sqlalchemy import ColumnElement
from sqlmodel import col

from api.http.headers import etag, matches
from api.http.pagination import Order, Pager
from api.http.responses import location, respond
from api.http.transaction import Transaction
from api.jobs import begun
from api.sla.responses import ConfigurationResponse, shown
from models.db.session import TenantSession
from models.errors import NotFound, PreconditionFailed
from models.jobs.tables import JobKind
from models.sla.configuration import current, held, newest, publish_first, publish_next, versions
from models.sla.definitions import Definition
from models.sla.tables import ConfigurationKind, ConfigurationVersion

_T = TypeVar("_T", bound=ConfigurationResponse)
_SIZE: ColumnElement[int] = col(ConfigurationVersion.size)  # type: ignore[assignment] # it is computed, so never null


async def list_current(session: TenantSession, pager: Pager, kind: ConfigurationKind, body: type[_T]) -> Response:
    rows, end = await pager.page(session, newest(session, kind), Order(ConfigurationVersion.id, ConfigurationVersion.id), _SIZE)
    return pager.respond([shown(row, body) for row in rows], end)


async def get_current(session: TenantSession, kind: ConfigurationKind, configuration_id: int, body: type[_T]) -> Response:
    return _respond(await current(session, kind, configuration_id), body)


async def list_versions(session: TenantSession, pager: Pager, kind: ConfigurationKind, configuration_id: int, body: type[_T]) -> Response:
    await current(session, kind, configuration_id)
    newest_first = Order(ConfigurationVersion.version, ConfigurationVersion.version, is_descending=True)
    rows, end = await pager.page(session, versions(session, kind, configuration_id), newest_first, _SIZE)
    return pager.respond([shown(row, body) for row in rows], end)


async def get_version(session: TenantSession, kind: ConfigurationKind, configuration_id: int, version: int, body: type[_T]) -> Response:
    wanted = versions(session, kind, configuration_id).where(col(ConfigurationVersion.version) == version)
    configuration = (await session.execute(wanted)).scalar_one_or_none()
    if configuration is None:
        raise NotFound(kind)
    return _respond(configuration, body)


async def create(transaction: Transaction, kind: ConfigurationKind, path: str, definition: Definition, body: type[_T]) -> Response:
    configuration = await publish_first(transaction.session, kind, definition, await transaction.change())
    return _published(configuration, f"{path}/{configuration.id}", body)


async def held_at(
    session: TenantSession, kind: ConfigurationKind, configuration_id: int, if_match: str | None, body: type[_T]
) -> ConfigurationVersion:
    """The current version, held until the next one is published.

    Raises:
        NotFound. PreconditionFailed: If-Match is not its version.
    """
    before = await held(session, kind, configuration_id)
    if not matches(if_match, etag(before.version)):
        raise PreconditionFailed(current=shown(before, body).model_dump(mode="json", by_alias=True))
    return before


async def publish(transaction: Transaction, before: ConfigurationVersion, path: str, definition: Definition, body: type[_T]) -> Response:
    configuration = await publish_next(transaction.session, before, definition, await transaction.change())
    return _published(configuration, f"{path}/{configuration.id}/versions/{configuration.version}", body)


async def recalculate(transaction: Transaction, kind: ConfigurationKind, configuration_id: int) -> Response:
    newest_version = (await held(transaction.session, kind, configuration_id)).version
    request: dict[str, object] = {"rule": kind, "ruleId": str(configuration_id), "version": newest_version}
    return await begun(transaction, JobKind.RECALCULATION, request)


def _respond(configuration: ConfigurationVersion, body: type[_T]) -> Response:
    return respond(shown(configuration, body), headers={"ETag": etag(configuration.version)})


def _published(configuration: ConfigurationVersion, path: str, body: type[_T]) -> Response:
    return respond(shown(configuration, body), 201, {"ETag": etag(configuration.version)} | location(path))
