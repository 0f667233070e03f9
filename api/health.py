"""Probes: is the process alive, and can it serve?"""

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from api.context import Context
from models.db.migrate import older_revisions

router = APIRouter(tags=["health"])
_REVISION = sa.text("SELECT version_num FROM alembic_version")


@router.get("/healthz")
async def healthy() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Not ready; says what is the matter"}})
async def ready(request: Request) -> Response:
    """The schema is the one that this release knows or a later one, the pool answers, the keys are there.

    The engine away is degraded: tickets are still taken. While a new release is rolled out, the previous one runs on its schema.
    """
    context: Context = request.app.state.context
    checks = {"database": await _database(context), "keys": await _keys(context)}
    is_ready = all(value == "ok" for value in checks.values())
    engine = "ok" if await context.temporal_answers() else "unreachable"
    status = "unready" if not is_ready else "ok" if engine == "ok" else "degraded"
    return Response(to_json({"status": status, **checks, "engine": engine}), 200 if is_ready else 503, media_type="application/json")


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
