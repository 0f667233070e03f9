"""What becomes a span, and what of it leaves the process."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from models.notifications.messages import DeliveryRef
from models.outbox.dispatch import OutboxRow, _grouped
from models.outbox.tables import Topic
from models.platform import tracing
from models.platform.spans import Closed, OfWork, Redacted
from tests.support.isolated import ROOT

PRIVATE = "rita@acme.test"


class Recorded:
    """Spans as they leave the process."""

    def __init__(self, ratio: float = 1) -> None:
        self._left = InMemorySpanExporter()
        provider = TracerProvider(sampler=ParentBased(root=OfWork(ratio)), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(Redacted(self._left)))
        self.tracer: Tracer = provider.get_tracer("test")

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._left.get_finished_spans()}


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_neither_a_path_nor_the_words_of_an_error_leave_the_process(recorded: Recorded) -> None:
    about = {"url.path": f"/portal/{PRIVATE}", "url.query": PRIVATE, "db.statement.parameters": PRIVATE, "http.route": "/tickets"}
    with pytest.raises(ValueError, match=PRIVATE), recorded.tracer.start_as_current_span("work", kind=SpanKind.SERVER, attributes=about):
        raise ValueError(PRIVATE)
    told = recorded.spans["work"]
    assert PRIVATE not in told.to_json()
    assert dict(told.attributes or {}) == {"http.route": "/tickets"}
    assert told.status.status_code is StatusCode.ERROR


def test_what_nobody_asked_for_is_no_trace_and_what_follows_from_it_neither(recorded: Recorded) -> None:
    with recorded.tracer.start_as_current_span("a look at the outbox", kind=SpanKind.CLIENT):
        assert tracing.carried() == {}
        with recorded.tracer.start_as_current_span("within", kind=SpanKind.SERVER):
            pass
    with (
        recorded.tracer.start_as_current_span("a request", kind=SpanKind.SERVER),
        recorded.tracer.start_as_current_span("a statement", kind=SpanKind.CLIENT),
    ):
        pass
    assert recorded.spans.keys() == {"a request", "a statement"}


def test_a_trace_that_is_not_kept_leaves_nothing_in_the_outbox() -> None:
    with Recorded(ratio=1e-18).tracer.start_as_current_span("a request", kind=SpanKind.SERVER):
        assert tracing.carried() == {}


def test_a_trace_goes_on_from_the_row_in_which_it_was_written(recorded: Recorded) -> None:
    with recorded.tracer.start_as_current_span("a request", kind=SpanKind.SERVER):
        row = {"ticket_id": 1, **tracing.carried()}
    with tracing.continued(row), recorded.tracer.start_as_current_span("the relay", kind=SpanKind.CLIENT):
        assert tracing.add_trace_id(None, "info", {}) == {"trace_id": tracing.trace_of(row)}
    assert tracing.add_trace_id(None, "info", {}) == {}
    request, relay = recorded.spans["a request"], recorded.spans["the relay"]
    assert relay.parent
    assert relay.context.trace_id == request.context.trace_id
    assert relay.parent.span_id == request.context.span_id


@pytest.mark.parametrize("garbage", ["", "00-zz", 7, None])
def test_a_row_with_garbage_in_the_place_of_its_trace_is_sent_all_the_same(garbage: object, recorded: Recorded) -> None:
    with tracing.continued({tracing.TRACEPARENT: garbage}):
        assert tracing.carried() == {}


def deliveries(*traces: str) -> Iterator[OutboxRow]:
    for id_, trace in enumerate(traces):
        told = {tracing.TRACEPARENT: f"00-{trace * 32}-{'1' * 16}-01"} if trace else {}
        yield OutboxRow(1, str(id_), Topic.DELIVERY, 0, DeliveryRef(merchant_id=1, notification_id=id_).model_dump() | told)


def test_notifications_go_together_unless_their_traces_differ() -> None:
    assert [len(group) for group in _grouped(list(deliveries("", "", "")))] == [3]
    assert [len(group) for group in _grouped(list(deliveries("a", "b", "a", "", "")))] == [2, 1, 2]


def test_a_caller_does_not_name_the_trace_nor_bring_baggage() -> None:
    sent = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "baggage": f"who={PRIVATE}"}
    assert not Closed().extract(sent)


def test_without_an_endpoint_nothing_of_it_is_imported() -> None:
    script = (
        "import sys, api.main, worker; print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exp'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
