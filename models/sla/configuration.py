"""SLA configuration is published: a first version, or the next one. Tickets keep the versions that they were opened under."""

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic.alias_generators import to_camel
from sqlalchemy import Select
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.audit import Change
from models.db.prepared import Prepared
from models.db.session import TenantSession, locked
from models.errors import Conflict, Invalid, NotFound
from models.people.audit import record
from models.people.tables import Category, Merchant
from models.sla.beside import beside
from models.sla.calendar import Calendar
from models.sla.definitions import Definition, Key, keep_no_more
from models.sla.definitions import definition as read_definition
from models.sla.policy import SlaPolicy
from models.sla.reach import longest_out_of_reach
from models.sla.rulebook import rulebook
from models.sla.tables import ConfigurationKind, ConfigurationVersion

MAX_CONFIGURATIONS = 200
MAX_VERSIONS = 5_000
"""Both of a kind."""
MAX_BYTES = 128 * 1024
"""Of one definition, as stored: 500 holidays with long names fit, and it is parsed within five milliseconds."""
MAX_BYTES_OF_ALL = 32 * 1024 * 1024
"""Of all versions of a merchant's, as stored."""
_MUTEX = Prepared(locked(sa.select(col(Merchant.id)).where(col(Merchant.id) == sa.bindparam("merchant"))))


def versions(session: TenantSession, kind: ConfigurationKind, configuration_id: int) -> Select[ConfigurationVersion]:
    return _of_kind(session, kind).where(col(ConfigurationVersion.id) == configuration_id)


def newest(session: TenantSession, kind: ConfigurationKind) -> Select[ConfigurationVersion]:
    """The current version of every configuration of the kind."""
    newer = aliased(ConfigurationVersion)
    key = (col(newer.merchant_id) == ConfigurationVersion.merchant_id) & (col(newer.id) == ConfigurationVersion.id)
    is_superseded = sa.select(sa.literal(1)).where(key, col(newer.version) > col(ConfigurationVersion.version)).exists()
    return _of_kind(session, kind).where(~is_superseded)


async def current(session: TenantSession, kind: ConfigurationKind, configuration_id: int) -> ConfigurationVersion:
    """Raises: NotFound."""
    found = versions(session, kind, configuration_id).order_by(col(ConfigurationVersion.version).desc()).limit(1)
    configuration = (await session.execute(found)).scalar_one_or_none()
    if configuration is None:
        raise NotFound(kind)
    return configuration


async def held(session: TenantSession, kind: ConfigurationKind, configuration_id: int) -> ConfigurationVersion:
    """The current version, which stays the current one until this transaction ends or publishes."""
    await hold_configuration(session)
    return await current(session, kind, configuration_id)


async def hold_configuration(session: TenantSession) -> None:
    """The merchant's row is the mutex of its configuration, locked before all else: versions have no gaps, and their count is exact."""
    if (await session.execute(_MUTEX, {"merchant": session.merchant_id})).scalar_one_or_none() is None:
        raise NotFound("merchant")


async def publish_first(session: TenantSession, kind: ConfigurationKind, definition: Definition, change: Change) -> ConfigurationVersion:
    """Publish a new configuration.

    Raises:
        Invalid: see :func:`require_sound`. Conflict: there are enough.
    """
    await hold_configuration(session)
    count = sa.select(sa.func.count()).select_from(newest(session, kind).subquery())
    if (await session.execute(count)).scalar_one() >= MAX_CONFIGURATIONS:
        raise Conflict("too_many_rules", f"There may be {MAX_CONFIGURATIONS} of this kind.")
    return await _publish(session, kind, Key(session.new_id(), 1), definition, change)


async def publish_next(
    session: TenantSession, before: ConfigurationVersion, definition: Definition, change: Change
) -> ConfigurationVersion:
    """Publish the version after ``before``, which is :func:`held`.

    Raises:
        Invalid: see :func:`require_sound`. Conflict: there are enough.
    """
    return await _publish(session, before.kind, Key(before.id, before.version + 1), definition, change)


async def placed(session: TenantSession, configuration_id: int, definition: Definition) -> Definition:
    """A policy that names no position stays where it was; a new one stands right before the first policy that is for all tickets."""
    if not isinstance(definition, SlaPolicy) or definition.position is not None:
        return definition
    return definition.model_copy(update={"position": (await rulebook(session)).position_for(configuration_id)})


async def add_versions(
    session: TenantSession, kind: ConfigurationKind, new: Sequence[tuple[Key, Definition]], change: Change
) -> list[ConfigurationVersion]:
    """Add sound and placed definitions as they are; the caller holds the merchant's configuration.

    Raises:
        Conflict: there are enough versions, or they take too much room.
    """
    await _require_room(session, kind, new)
    keep_no_more(session)
    added = [version_row(session, kind, key, definition, change) for key, definition in new]
    for row in added:
        session.insert(row)
        record(session, change, f"{kind}.published", row.id, version=[row.version - 1 or None, row.version])
    await outdate_rulebook(session)
    await session.write()
    return added


def version_row(session: TenantSession, kind: ConfigurationKind, key: Key, definition: Definition, change: Change) -> ConfigurationVersion:
    return ConfigurationVersion(
        merchant_id=session.merchant_id,
        id=key.id,
        version=key.version,
        kind=kind,
        definition=definition.model_dump(mode="json", by_alias=True),
        created_at=change.at,
        created_by=change.by.as_text,
    )


async def outdate_rulebook(session: TenantSession) -> None:
    """Have every process read the merchant's categories and configuration anew."""
    mine = col(Merchant.id) == session.merchant_id
    await session.execute(sa.update(Merchant).where(mine).values(rulebook_version=col(Merchant.rulebook_version) + 1))


def _of_kind(session: TenantSession, kind: ConfigurationKind) -> Select[ConfigurationVersion]:
    return sa.select(ConfigurationVersion).where(
        col(ConfigurationVersion.merchant_id) == session.merchant_id, col(ConfigurationVersion.kind) == kind
    )


async def _publish(
    session: TenantSession, kind: ConfigurationKind, key: Key, definition: Definition, change: Change
) -> ConfigurationVersion:
    definition = await placed(session, key.id, definition)
    await require_sound(session, definition, change.at, configuration_id=key.id)
    (published,) = await add_versions(session, kind, [(key, definition)], change)
    return published


async def _require_room(session: TenantSession, kind: ConfigurationKind, new: Sequence[tuple[Key, Definition]]) -> None:
    ours = col(ConfigurationVersion.merchant_id) == session.merchant_id
    count, total = (
        sa.func.count().filter(col(ConfigurationVersion.kind) == kind),
        sa.func.coalesce(sa.func.sum(ConfigurationVersion.size), 0),
    )
    of_kind, taken = (await session.execute(sa.select(count, total).where(ours))).one()
    if of_kind + len(new) > MAX_VERSIONS:
        raise Conflict("too_many_versions", f"There may be {MAX_VERSIONS} versions of this kind.")
    left = MAX_BYTES_OF_ALL - (taken or 0)
    if sum(_size(definition) for _, definition in new) > left:
        detail = f"All versions together may take {MAX_BYTES_OF_ALL} bytes, and {max(left, 0)} are left: publish a smaller definition."
        raise Conflict("versions_too_large", detail)


def _size(definition: Definition) -> int:
    """Bytes of the document as PostgreSQL writes it, with a blank after each comma and colon."""
    return len(json.dumps(definition.model_dump(mode="json", by_alias=True), ensure_ascii=False).encode())


def _require_small(definition: Definition, place: str) -> None:
    size = _size(definition)
    if size > MAX_BYTES:
        detail = f"The definition takes {size} bytes, and {MAX_BYTES} are allowed: give it fewer or shorter entries."
        raise Invalid("definition_too_large", detail, place)


async def require_sound(session: TenantSession, definition: Definition, at: datetime, *, configuration_id: int, place: str = "") -> None:
    """It is small enough, what a policy names is there, and its calendar reaches every target. ``place`` is where the definition stands
    in the body, as a JSON pointer; ``configuration_id`` is what it defines.

    Raises: Invalid.
    """
    _require_small(definition, place)
    if isinstance(definition, SlaPolicy):
        await _require_references(session, definition, place)
        newest_calendar = await current(session, ConfigurationKind.CALENDAR, definition.calendar_id)
        await _require_reach(
            definition, await read_definition(session, Key(newest_calendar.id, newest_calendar.version), Calendar), at, place
        )
    elif isinstance(definition, Calendar):
        for each in (await rulebook(session)).ordered:
            if each.policy.calendar_id == configuration_id:
                await _require_reach_of(each.policy, definition, at, place)


async def _require_reach(policy: SlaPolicy, calendar: Calendar, at: datetime, place: str) -> None:
    """A calendar that is hardly ever open is laid out for two years."""
    target = await beside(longest_out_of_reach, policy, calendar, at)
    if target is not None:
        pointer = f"{place}/targets/{target.priority}/{to_camel(target.metric)}Seconds"
        raise Invalid("target_out_of_reach", "The calendar has less open time than that within two years.", pointer)


async def _require_reach_of(policy: SlaPolicy, calendar: Calendar, at: datetime, place: str) -> None:
    if await beside(longest_out_of_reach, policy, calendar, at):
        detail = f"A target of the policy {policy.name} exceeds the open time of two years."
        raise Invalid("target_out_of_reach", detail, f"{place}/weekly")


async def _require_references(session: TenantSession, definition: SlaPolicy, place: str) -> None:
    await _require(session, ConfigurationKind.CALENDAR, definition.calendar_id, f"{place}/calendarId")
    if definition.ladder_id is not None:
        await _require(session, ConfigurationKind.LADDER, definition.ladder_id, f"{place}/ladderId")
    known = set(
        (
            await session.execute(
                sa.select(col(Category.name)).where(col(Category.merchant_id) == session.merchant_id, col(Category.retired_at).is_(None))
            )
        ).scalars()
    )
    for number, name in enumerate(definition.match.categories):
        if name not in known:
            raise Invalid("unknown_category", "There is no such category.", f"{place}/match/categories/{number}")


async def _require(session: TenantSession, kind: ConfigurationKind, configuration_id: int, pointer: str) -> None:
    try:
        await current(session, kind, configuration_id)
    except NotFound:
        raise Invalid(f"unknown_{kind}", f"There is no such {kind}.", pointer) from None
