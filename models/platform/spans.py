"""What records spans and sends them to the endpoint, as OTLP over HTTP: of each only what is known to be harmless."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.propagators.textmap import CarrierT, Getter, Setter, TextMapPropagator, default_getter, default_setter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Status, TraceState
from opentelemetry.util.types import Attributes
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor

SEND_SECONDS: Final = 5
"""For one batch, in a thread of its own; at the end of the process it waits as long."""
KEPT: Final = frozenset(
    {
        "db.name",
        "db.statement",  # the text of ours, without its parameters
        "db.system",
        "error.type",
        "helpdesk.request_id",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "temporalActivityID",
        "temporalRunID",
        "temporalWorkflowID",
    }
)
"""Of a span's attributes. A path may hold a portal's token, a query an address; an error's words and its stack, anything."""


@contextmanager
def recorded(endpoint: str, ratio: float, service: str, code: str) -> Iterator[Interceptor]:
    """See :func:`models.platform.tracing.recorded`. ``ratio`` is the part of all traces that is kept."""
    about = Resource.create({"service.name": service, "service.namespace": code})
    provider = TracerProvider(sampler=ParentBased(root=OfWork(ratio)), resource=about, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Redacted(OTLPSpanExporter(endpoint=endpoint, timeout=SEND_SECONDS))))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(Closed())
    AsyncPGInstrumentor().instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    try:
        yield TracingInterceptor(provider.get_tracer("temporal"))
    finally:
        provider.shutdown()


class Closed(TextMapPropagator):
    """A trace begins at our edge: a caller neither names it, nor has it kept, nor brings baggage for the histories to keep."""

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:  # noqa: ARG002
        return context if context is not None else Context()

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """Nothing is sent on: Temporal's interceptor and the outbox carry traces by themselves."""

    @property
    def fields(self) -> set[str]:
        return set()


class OfWork(Sampler):
    """A trace is begun by a request, or by an activity: what a relay or a gauge asks the database by itself, every second, is none."""

    def __init__(self, ratio: float) -> None:
        self._of_all = TraceIdRatioBased(ratio)

    def should_sample(  # noqa: PLR0913, PLR0917 - OpenTelemetry's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is not SpanKind.SERVER:
            return SamplingResult(Decision.DROP)
        return self._of_all.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"OfWork({self._of_all.get_description()})"


class Redacted(SpanExporter):
    def __init__(self, onwards: SpanExporter) -> None:
        self._onwards = onwards

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._onwards.export([_redacted(span) for span in spans])

    def shutdown(self) -> None:
        self._onwards.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._onwards.force_flush(timeout_millis)


def _redacted(span: ReadableSpan) -> ReadableSpan:
    """Without events: those are exceptions, with their words."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in KEPT},
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )
