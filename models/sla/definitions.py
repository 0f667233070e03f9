"""Definitions of SLA configuration as values: read when they are asked for, and kept while they are used. A version never changes.

They are parsed beside the event loop, and what is kept is bounded in bytes for all merchants of a process together. What a transaction
reads after it has added versions is not kept: it may be rolled back, and another one adds others under the same numbers.
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
KEPT_BYTES = 64 * 1024 * 1024
"""Of memory."""
_PARSED = 12
"""So many times its stored size a definition takes in memory at the most, besides a frame: as measured, of nothing but short intervals."""
_FRAME_BYTES = 1024
_ADDED = "has_added_versions"
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
    selected = sa.select(col(version.id), col(version.version), col(version.kind), col(version.size), text).where(wanted)
    rows = (await session.execute(selected)).all()
    parsed = await asyncio.to_thread(_parse, rows)
    if may_keep(session):
        for row in rows:
            key = Key(row.id, row.version)
            kept.keep((session.merchant_id, key), parsed[key], in_memory(row.size))
    return parsed


def _parse(rows: Sequence[sa.Row[int, int, ConfigurationKind, int | None, str]]) -> dict[Key, Definition]:
    return {Key(id_, version): VALUES[kind].model_validate_json(text) for id_, version, kind, _, text in rows}


def in_memory(stored: int | None) -> int:
    """Bytes that a definition takes when it is kept; ``stored``: bytes of its document."""
    return _FRAME_BYTES + _PARSED * (stored or 0)


def keep_no_more(session: TenantSession) -> None:
    """The transaction adds versions: what it reads from now on is for itself."""
    session.info[_ADDED] = True


def may_keep(session: TenantSession) -> bool:
    return _ADDED not in session.info
