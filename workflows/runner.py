"""How workflows are run: in the sandbox by every test, without it by a worker pod (docs/decisions/0012-the-sandbox-is-for-tests.md).

The packages that are known to be deterministic are imported once for all runs: a run starts in about a millisecond. models.db.schema stays
out of reach of everything in workflows/ (import-linter holds it).
"""

from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

_PASSED_THROUGH = ("models", "workflows", "pydantic", "pydantic_core", "annotated_types")
WATCHED = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH),
)
FREE = UnsandboxedWorkflowRunner()
