"""The same POST twice gives the same response: it is stored in the transaction of its effect, so that neither exists without the other."""

import json
from datetime import datetime, timedelta
from hashlib import sha256

from fastapi import Request, Response

from models.db.idempotency import IdempotencyKey
from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.errors import BadRequest, InProgress, KeyReused

KEPT_FOR = timedelta(hours=24)
_TRY_LOCK = Prepared[bool]("SELECT pg_try_advisory_xact_lock(:merchant, :scope)")


async def key_of(request: Request, merchant_id: int, subject: str) -> "Once | None":
    """The key that a POST came with. ``subject`` is the caller's identity within the merchant: the token's, or what stands for it.

    Raises:
        BadRequest: it is no good key.
    """
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    if key is None:
        return None
    if not (0 < len(key) <= 255 and key.isprintable()):
        raise BadRequest("The Idempotency-Key has 1 to 255 printable characters.", code="idempotency_key_invalid")
    scope = json.dumps([subject, request.method, request.url.path, key])
    return Once(merchant_id, sha256(scope.encode()).hexdigest(), sha256(await request.body()).hexdigest())


class Once:
    """One Idempotency-Key of one caller on one route."""

    def __init__(self, merchant_id: int, scope: str, request_hash: str) -> None:
        self.merchant_id = merchant_id
        self.scope = scope
        self.request_hash = request_hash

    async def stored(self, session: TenantSession, now: datetime) -> Response | None:
        """The response given before, if there is one; from here on no second request with this key comes in.

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

    async def store(self, session: TenantSession, response: Response, now: datetime) -> None:
        headers = {name: value for name in ("location", "etag") if (value := response.headers.get(name))}
        session.insert(
            IdempotencyKey(
                merchant_id=self.merchant_id,
                scope=self.scope,
                request_hash=self.request_hash,
                status=response.status_code,
                headers=headers,
                body=bytes(response.body).decode(),
                created_at=now,
            ),
        )
        await session.write()
