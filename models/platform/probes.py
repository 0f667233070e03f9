"""A worker's health probes: they are answered from its start on, also while it waits for Temporal."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from models.platform.temporal import is_reachable


class Probes:
    """``/healthz`` says that the process runs; ``/readyz`` that it takes tasks (``is_working``) and reaches Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.is_working = False
        self.app = Starlette(routes=[Route("/healthz", self._healthy), Route("/readyz", self._ready)])

    async def _healthy(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        if not await is_reachable(self._client):
            return JSONResponse({"status": "Temporal is unreachable"}, status_code=503)
        return JSONResponse({"status": "ok"}) if self.is_working else JSONResponse({"status": "takes no tasks"}, status_code=503)
