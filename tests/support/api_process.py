"""The API as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from deploy.local.temporal import free_port
from tests.support.isolated import ROOT, Isolated


@asynccontextmanager
async def api_process(
    isolated: Isolated, root: Path = ROOT, **settings: int | str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The API as it is deployed, from the sources in ``root``, and its port. It serves: what it is made of may be away."""
    port = int(settings.get("http_port", 0)) or free_port()
    own = {"RUN_MODE": "startup", "PYTHONPATH": str(root), "APP_ENV_HTTP_PORT": str(port), "APP_ENV_LOG_LEVEL": "ERROR"}
    environment = {
        **os.environ,
        **isolated.settings(),
        **own,
        **{f"APP_ENV_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy", env=environment, cwd=root)
    try:
        await _answers(process, port)
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        assert await process.wait() in {0, -signal.SIGKILL}, "it was told to end and did not end well"


async def _answers(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while True:
            assert process.returncode is None, "the API has ended"
            try:
                if (await client.get("/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
