"""Probes: is the process alive, and can it serve?"""

import asyncio
import time
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

from api.context import Context
from api.http.headers import takes_request_id
from api.http.responses import ResponseBody
from models.db.failures import is_busy
from models.db.revisions import older_revisions

router = APIRouter(tags=["health"], dependencies=[Depends(takes_request_id)])
_READY = ("ok", "busy")
_KEPT_SECONDS = 2.0


class HealthResponse(ResponseBody):
    status: Literal["ok"] = "ok"


class ReadinessResponse(ResponseBody):
    """What is not ``ok`` says what is the matter; a database that is busy, or Temporal away, leaves the process ready.

    ``draining``: the process was told to end, and serves for some seconds more.
    """

    status: Literal["ok", "degraded", "unready", "draining"]
    database: str
    keys: str
    temporal: str


@router.get("/healthz")
async def check_health() -> HealthResponse:
    """The process answers; nothing else is asked."""
    return HealthResponse()


@router.get(
    "/readyz",
    response_model=ReadinessResponse,
    responses={503: {"model": ReadinessResponse, "description": "Not ready; says what is the matter"}},
)
async def check_readiness(request: Request) -> Response:
    """The schema is the one that this release knows or a later one, the database answers, the keys are there.

    Temporal away is degraded: tickets are still taken. While a new release is rolled out, the previous one runs on its schema.
    """
    readiness: Readiness = request.app.state.readiness
    return await readiness.response()


class Readiness:
    """What was found is kept for a moment: however often it is asked for, one request at a time looks at the parts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._looking = asyncio.Lock()
        self._kept: dict[str, str] = {}
        self._until = float("-inf")
        self._is_draining = False

    def drain(self) -> None:
        """From now on the process is not ready, whatever is found."""
        self._is_draining = True

    async def response(self) -> Response:
        async with self._looking:
            if time.monotonic() >= self._until:
                self._kept = await _look(self._context)
                self._until = time.monotonic() + _KEPT_SECONDS
        found = self._kept | ({"status": "draining"} if self._is_draining else {})
        return Response(to_json(found), 200 if found["status"] in ("ok", "degraded") else 503, media_type="application/json")


async def _look(context: Context) -> dict[str, str]:
    checks = {"database": await _database(context), "keys": await _keys(context)}
    is_ready = all(value in _READY for value in checks.values())
    temporal = "ok" if await context.temporal_answers() else "unreachable"
    status = "unready" if not is_ready else "ok" if temporal == "ok" else "degraded"
    return {"status": status, **checks, "temporal": temporal}


async def _database(context: Context) -> str:
    """A server that has no connection left is busy, and another API process would be no better off: it stays ready."""
    try:
        found = await context.database.revision()
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
        return "busy" if is_busy(error) else "unreachable"
    return "older schema revision" if found is None or found in older_revisions() else "ok"


async def _keys(context: Context) -> str:
    if not context.keys.has_keys:
        await context.keys.warm()
    return "ok" if context.keys.has_keys else "missing"
