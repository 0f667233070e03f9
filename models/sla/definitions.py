"""Definitions of SLA configuration as values: read when they are asked for, and kept while they are used. A version never changes.

They are parsed beside the event loop, and what is kept is bounded in bytes for all merchants of a process together. A transaction that
has added versions must not ask for them: they would be kept although it may be rolled back.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlmodel import col

from models.cache import ByteCache
from models.db.session import TenantSession
from models.sla.calendar import Calendar
from models.sla.ladder import Ladder
from models.sla.policy import SlaPolicy
from models.sla.tables import ConfigurationKind, ConfigurationVersion

Definition = Calendar | SlaPolicy | Ladder
VALUES: Final[dict[ConfigurationKind, type[Definition]]] = {
    ConfigurationKind.CALENDAR: Calendar,
    ConfigurationKind.POLICY: SlaPolicy,
    ConfigurationKind.LADDER: Ladder,
}
_D = TypeVar("_D", Calendar, SlaPolicy, Ladder)
KEPT_BYTES = 16 * 1024 * 1024
"""As stored; parsed they take up to four times as much."""
kept: ByteCache[tuple[int, "Key"], Definition] = ByteCache(KEPT_BYTES)


class Key(NamedTuple):
    id: int
    version: int


NOTHING: Final[Mapping[Key, Definition]] = MappingProxyType({})


async def definition(session: TenantSession, key: Key, value: type[_D], proposed: Mapping[Key, Definition] = NOTHING) -> _D:
    """One version; ``proposed`` are looked at first.

    Raises:
        LookupError: there is no such version.
    """
    found = proposed.get(key) or kept.get((session.merchant_id, key)) or (await definitions(session, [key])).get(key)
    if not isinstance(found, value):
        detail = f"there is no version {key.version} of the {value.__name__} {key.id}"
        raise LookupError(detail)  # noqa: TRY004 - there is none
    return found


async def definitions(session: TenantSession, keys: Collection[Key]) -> dict[Key, Definition]:
    """Those of ``keys`` that exist; what is not kept is read, all at once."""
    found = {key: value for key in keys if (value := kept.get((session.merchant_id, key)))}
    missing = [key for key in keys if key not in found]
    return found | await _read(session, missing) if missing else found


async def _read(session: TenantSession, keys: Collection[Key]) -> dict[Key, Definition]:
    """As text, so that the event loop decodes no document."""
    version = ConfigurationVersion
    wanted = sa.tuple_(col(version.id), col(version.version)).in_(keys)
    text = sa.cast(col(version.definition), sa.Text)
    rows = await session.execute(sa.select(col(version.id), col(version.version), col(version.kind), col(version.size), text).where(wanted))
    return await asyncio.to_thread(_parse, session.merchant_id, rows.all())


def _parse(merchant_id: int, rows: Sequence[sa.Row[int, int, ConfigurationKind, int | None, str]]) -> dict[Key, Definition]:
    parsed: dict[Key, Definition] = {}
    for id_, version, kind, size, text in rows:
        key = Key(id_, version)
        parsed[key] = VALUES[kind].model_validate_json(text)
        kept.keep((merchant_id, key), parsed[key], size or 0)
    return parsed
