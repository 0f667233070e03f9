"""Probes: is the process alive, and can it serve?"""

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

from api.context import Context
from api.http.headers import takes_request_id
from api.http.transaction import context_of
from models.db.migrate import older_revisions

router = APIRouter(tags=["health"], dependencies=[Depends(takes_request_id)])
_REVISION = sa.text("SELECT version_num FROM alembic_version")


@router.get("/healthz")
async def check_health() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Not ready; says what is the matter"}})
async def check_readiness(request: Request) -> Response:
    """The schema is the one that this release knows or a later one, the pool answers, the keys are there.

    Temporal away is degraded: tickets are still taken. While a new release is rolled out, the previous one runs on its schema.
    """
    context = context_of(request)
    checks = {"database": await _database(context), "keys": await _keys(context)}
    is_ready = all(value == "ok" for value in checks.values())
    temporal = "ok" if await context.temporal_answers() else "unreachable"
    status = "unready" if not is_ready else "ok" if temporal == "ok" else "degraded"
    return Response(to_json({"status": status, **checks, "engine": temporal}), 200 if is_ready else 503, media_type="application/json")


async def _database(context: Context) -> str:
    try:
        async with context.database.engine.connect() as connection:
            found = (await connection.execute(_REVISION)).scalar_one_or_none()
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError):
        return "unreachable"
    return "older schema revision" if found is None or found in older_revisions() else "ok"


async def _keys(context: Context) -> str:
    if not context.keys.has_keys:
        await context.keys.warm()
    return "ok" if context.keys.has_keys else "missing"
