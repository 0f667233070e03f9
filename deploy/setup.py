"""RUN_MODE=setup: what must stand before the API and the worker start, made or brought up to date. Run again it changes nothing."""

from datetime import UTC, datetime

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from models.audit import SYSTEM, Change
from models.db.migrate import upgrade
from models.db.session import Database
from models.errors import Conflict
from models.outbox.schedule import schedule_reconciliation
from models.people.merchants import DIRECTORY, NewMerchant, create_merchant
from models.platform import logging as logs
from models.platform import temporal
from models.platform.settings import SetupSettings
from models.tickets.search_attributes import TYPES

_KINDS = {f"INDEXED_VALUE_TYPE_{kind.upper()}": kind for kind in sorted({*TYPES.values()})}
log = structlog.get_logger()


class SetupError(Exception):
    """Something can't be set up; the text says what to do. What was set up before it stays, and setup can be run again."""


def migrate(settings: SetupSettings) -> None:
    """The first step, and outside of any event loop: Alembic's entry runs one of its own.

    Raises:
        UnknownRevisionError: the database is of a later release, or of none.
    """
    logs.configure("INFO")
    upgrade(str(settings.database_owner_url))
    log.info("setup.schema_is_current")


async def run(settings: SetupSettings, *, node: int) -> None:
    """The other steps. ``node`` is the ten bits of this service in every id.

    Raises:
        SetupError: Temporal can't be reached, or refuses.
    """
    if settings.setup_merchant_slug and settings.setup_merchant_name:
        await _make_first_merchant(settings, NewMerchant(slug=settings.setup_merchant_slug, name=settings.setup_merchant_name), node)
    try:
        client = await temporal.connect(settings, temporal.Connection.NOW)
        await add_search_attributes(client)
        await schedule_reconciliation(client)
    except (RPCError, RuntimeError) as error:
        where = f"{settings.temporal_address}, namespace {settings.temporal_namespace}"
        raise SetupError(f"Temporal ({where}) refuses or can't be reached: {error}; then run setup again") from error
    log.info("setup.done")


async def add_search_attributes(client: Client) -> None:
    """Add those that the namespace lacks. It is asked first: Temporal Cloud lists them here, and has another way to add them.

    Raises:
        SetupError: one is there with another type, or can't be added.
    """
    found = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    known = {name: _KINDS.get(IndexedValueType.Name(kind), "another type") for name, kind in found.custom_attributes.items()}
    if wrong := {name: kind for name, kind in TYPES.items() if known.get(name, kind) != kind}:
        raise SetupError(f"these search attributes of the namespace have another type: make them anew as {_listed(wrong)}")
    missing = {name: kind for name, kind in TYPES.items() if name not in known}
    if missing:
        await _add(client, missing)
    log.info("setup.search_attributes_are_there", added=sorted(missing))


async def _add(client: Client, missing: dict[str, str]) -> None:
    values = {name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}") for name, kind in missing.items()}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=values)
        )
    except RPCError as error:
        raise SetupError(
            f"the search attributes can't be added ({error}): add {_listed(missing)} to the namespace, then run setup again"
        ) from error


def _listed(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in attributes.items())


async def _make_first_merchant(settings: SetupSettings, new: NewMerchant, node: int) -> None:
    database = Database(str(settings.database_url), pool_size=1, node=node)
    try:
        async with database.writing(DIRECTORY) as session:
            merchant = await create_merchant(session, new, Change(by=SYSTEM, at=datetime.now(UTC)))
        log.info("setup.merchant_made", merchant_id=merchant.id, slug=new.slug)
    except Conflict:
        log.info("setup.merchant_is_there", slug=new.slug)
    finally:
        await database.aclose()
