"""New code must be able to go on with every ticket that is under way: it replays a recorded history of each shape."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from models.tickets.messages import WORKFLOW, TicketLife
from workflows.job import JobWorkflow
from workflows.notification import DeliveryWorkflow
from workflows.reconciliation import ReconciliationWorkflow
from workflows.runner import WATCHED
from workflows.ticket import TicketWorkflow

FOLDER = Path(__file__).with_name("histories")
HISTORIES = sorted(FOLDER.rglob("*.json"))
SHAPES = {
    "after_continuing_as_new",
    "continued_as_new",
    "delivery_dead",
    "delivery_sent",
    "escalated_to_level_three",
    "everything_due_at_once",
    "job",
    "plain_life",
    "reconciliation",
    "reopened_and_deleted",
}
each_history = pytest.mark.parametrize("file", HISTORIES, ids=lambda file: "/".join(file.relative_to(FOLDER).with_suffix("").parts))


def test_there_is_a_history_of_each_shape() -> None:
    assert {file.stem for file in HISTORIES if file.parent == FOLDER} == SHAPES


def recorded(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("recorded", file.read_text())


@each_history
async def test_the_history_replays(file: Path) -> None:
    replayer = Replayer(
        workflows=[TicketWorkflow, DeliveryWorkflow, JobWorkflow, ReconciliationWorkflow],
        workflow_runner=WATCHED,
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(recorded(file))


@each_history
async def test_a_replay_makes_no_span(file: Path) -> None:
    """Also where a header is there, or a span is made without one: what the history tells was traced when it happened."""
    spans, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    replayer = Replayer(
        workflows=[TicketWorkflow, DeliveryWorkflow, JobWorkflow, ReconciliationWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
        interceptors=[TracingInterceptor(provider.get_tracer("replay"), always_create_workflow_spans=True)],
    )
    await replayer.replay_workflow(recorded(file))
    assert not spans.get_finished_spans()


@each_history
def test_the_history_tells_nothing_of_people_or_of_the_machine_that_recorded_it(file: Path) -> None:
    told = file.read_text() + " ".join(_payloads(json.loads(file.read_text())))
    assert not re.search(r"@|/tmp|/home|\.py\b|Rita|Ana|Lars|Sina|till|stackTrace", told)


@workflow.defn(name=WORKFLOW)
class HastyTicketWorkflow:
    @workflow.run
    async def run(self, _life: TicketLife) -> None:
        return


async def test_another_process_does_not_replay() -> None:
    """The gate closes: otherwise the tests above would prove nothing."""
    file = next(file for file in HISTORIES if file.stem == "plain_life")
    hasty = Replayer(
        workflows=[HastyTicketWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    with pytest.raises(NondeterminismError):
        await hasty.replay_workflow(recorded(file))


def _payloads(value: Any) -> list[str]:
    """Everything that was put into a payload, decoded."""
    if isinstance(value, list):
        return [text for each in value for text in _payloads(each)]
    if not isinstance(value, dict):
        return []
    own = [base64.b64decode(value["data"]).decode(errors="replace")] if isinstance(value.get("data"), str) else []
    return own + [text for each in value.values() for text in _payloads(each)]
