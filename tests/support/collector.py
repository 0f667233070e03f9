"""A collector of OpenTelemetry: it takes OTLP over HTTP and keeps the spans."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.local.temporal import free_port


class Seen(NamedTuple):
    """A span. ``parent`` is empty for the first one of a trace; ``links`` are ids of traces."""

    service: str
    trace: str
    id: str
    parent: str
    name: str
    attributes: dict[str, str]
    links: Sequence[str]


@dataclass
class Collector:
    endpoint: str
    spans: list[Seen] = field(default_factory=list)
    received: bytes = b""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.received += body
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {each.key: each.value.string_value for each in sent.resource.attributes}
            service = f"{about['service.namespace']} {about['service.name']}"
            for scope in sent.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            service,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.name,
                            {each.key: each.value.string_value for each in span.attributes},
                            [link.trace_id.hex() for link in span.links],
                        )
                    )
        return Response(status_code=200, media_type="application/x-protobuf")

    def of_trace(self, trace: str) -> list[Seen]:
        return [span for span in self.spans if span.trace == trace]

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    port = free_port()
    collector = Collector(f"http://127.0.0.1:{port}")
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())
    try:
        yield collector
    finally:
        server.should_exit = True
        await serving
