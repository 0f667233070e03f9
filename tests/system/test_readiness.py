"""What a probe is told while parts of the system are away, by the API as it is deployed."""

import asyncio
from typing import Any

import httpx

from tests.support.api_process import api_process
from tests.support.isolated import Isolated

CLOSED = """
    ALTER DATABASE {0} ALLOW_CONNECTIONS false;
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}';
"""


async def test_without_temporal_the_api_is_degraded_and_without_its_database_unready(isolated: Isolated) -> None:
    async with api_process(isolated) as (_, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as probe:
        assert (await until(probe, "ok"))["database"] == "ok"
        isolated.temporal.kill()
        assert (await until(probe, "degraded"))["database"] == "ok"
        await asyncio.to_thread(isolated.postgres.psql, CLOSED.format(isolated.database))
        assert (await until(probe, "unready"))["database"] == "unreachable"
        assert (await probe.get("/healthz")).status_code == 200
        await asyncio.to_thread(isolated.postgres.psql, f"ALTER DATABASE {isolated.database} ALLOW_CONNECTIONS true")
        assert (await until(probe, "degraded"))["database"] == "ok"


async def until(probe: httpx.AsyncClient, status: str) -> dict[str, Any]:
    """What was found is kept for two seconds: ask until it is so. Only what is unready is no 200."""
    async with asyncio.timeout(60):
        while True:
            response = await probe.get("/readyz")
            found: dict[str, Any] = response.json()
            assert response.status_code == (503 if found["status"] == "unready" else 200), found
            if found["status"] == status:
                return found
            await asyncio.sleep(0.1)
