"""The short name of a merchant, for people who operate the system. Read once by each process, then kept: nothing is decided by it."""

from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from models.cache import ByteCache
from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.people.tables import Merchant

_KEPT_BYTES: Final = 1024 * 1024
_FRAME_BYTES: Final = 100
"""What an entry takes besides its text."""
_SLUG = Prepared(sa.select(col(Merchant.slug)))
_kept: ByteCache[int, str] = ByteCache(_KEPT_BYTES)


async def slug_of(session: TenantSession) -> str:
    """The slug of the session's merchant; empty, if there is none."""
    known = _kept.get(session.merchant_id)
    if known is None:
        known = (await session.execute(_SLUG)).scalar_one_or_none() or ""
        if known:
            _kept.keep(session.merchant_id, known, _FRAME_BYTES + len(known.encode()))
    return known
