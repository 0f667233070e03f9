"""The same POST twice gives the same answer: it is kept in the transaction of its effect, so that neither exists without the other."""

import json
from datetime import datetime, timedelta
from hashlib import sha256

import sqlalchemy as sa
from fastapi import Request, Response

from models.db.idempotency import IdempotencyKey
from models.db.session import TenantSession
from models.errors import BadRequest, InProgress, KeyReused

KEPT_FOR = timedelta(hours=24)
_TRY_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(:merchant, :scope)")


class Once:
    """One Idempotency-Key of one caller on one route. ``subject`` is who he is to the merchant: his token's, or what stands for it."""

    def __init__(self, key: str, merchant_id: int, subject: str, request: Request, body: bytes) -> None:
        if not (0 < len(key) <= 255 and key.isprintable()):
            raise BadRequest("The Idempotency-Key has 1 to 255 printable characters.", code="idempotency_key_invalid")
        scope = json.dumps([subject, request.method, request.url.path, key])
        self.merchant_id = merchant_id
        self.scope = sha256(scope.encode()).hexdigest()
        self.request_hash = sha256(body).hexdigest()

    async def stored(self, session: TenantSession, now: datetime) -> Response | None:
        """The answer given before, if there is one; from here on no second request with this key comes in.

        Raises:
            InProgress: another one is at work right now. KeyReused: the key was used with another body.
        """
        lock = {"merchant": self.merchant_id % 2**31, "scope": int(self.scope[:8], 16) - 2**31}
        if not (await session.execute(_TRY_LOCK, lock)).scalar_one():
            raise InProgress
        row = await session.get(IdempotencyKey, (self.merchant_id, self.scope))
        if row is None or row.created_at + KEPT_FOR < now:
            return None
        if row.request_hash != self.request_hash:
            raise KeyReused("This Idempotency-Key was used with another body.")
        return Response(row.body, row.status, headers=row.headers | {"Idempotent-Replayed": "true"}, media_type="application/json")

    async def keep(self, session: TenantSession, respond: Response, now: datetime) -> None:
        headers = {name: value for name in ("location", "etag") if (value := respond.headers.get(name))}
        body = bytes(respond.body).decode()
        session.insert(
            IdempotencyKey(
                merchant_id=self.merchant_id,
                scope=self.scope,
                request_hash=self.request_hash,
                status=respond.status_code,
                headers=headers,
                body=body,
                created_at=now,
            ),
        )
        await session.write()
