"""Traces, as all parts of the code meet them: off unless ``APP_ENV_OTLP_ENDPOINT`` is set, and then as good as free.

A trace begins with a request. It goes on in the outbox by the row's ``traceparent`` (https://www.w3.org/TR/trace-context/), and in Temporal
by the headers of its SDK's interceptor. Here is only OpenTelemetry's interface, which FastAPI imports anyway: what records and sends
spans is :mod:`models.platform.spans`, imported when there is an endpoint.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.client import Interceptor

from models.platform.settings import Settings

TRACEPARENT: Final = "traceparent"
_W3C: Final = TraceContextTextMapPropagator()


@contextmanager
def recorded(settings: Settings, service: str, code: str) -> Iterator[Sequence[Interceptor]]:
    """Record spans until the end of the block, if the settings say where to; give what carries traces through Temporal, for its client.

    ``service`` is the part that this process plays, ``code`` the service's own. Once in a process, after its last fork. At the end what
    waits is sent, which takes some seconds at most.
    """
    if settings.otlp_endpoint is None:
        yield ()
        return
    from models.platform import spans  # noqa: PLC0415 - 0.2 s of imports, for those who trace

    with spans.recorded(f"{str(settings.otlp_endpoint).rstrip('/')}/v1/traces", settings.otlp_ratio, service, code) as interceptor:
        yield [interceptor]


def carried() -> dict[str, str]:
    """What an outbox row says of the trace in which it is written; nothing if that is not kept."""
    now = trace.get_current_span().get_span_context()
    return {TRACEPARENT: f"00-{now.trace_id:032x}-{now.span_id:016x}-01"} if now.trace_flags.sampled else {}


def trace_of(row: Mapping[str, object]) -> str:
    """The trace's id, or an empty text: by it rows of one trace find together."""
    return str(row.get(TRACEPARENT, ""))[3:35]


@contextmanager
def continued(row: Mapping[str, object]) -> Iterator[None]:
    """Go on with the row's trace until the end of the block, if it has one."""
    if TRACEPARENT not in row:
        yield
        return
    token = context.attach(_W3C.extract({TRACEPARENT: str(row[TRACEPARENT])}))
    try:
        yield
    finally:
        context.detach(token)


def add_trace_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's processor: a line that is written in a trace tells its id."""
    now = trace.get_current_span().get_span_context()
    if now.trace_flags.sampled:
        event["trace_id"] = trace.format_trace_id(now.trace_id)
    return event
