"""How workflows are run: in the sandbox, with the packages that are known to be deterministic imported once for all runs.

Passing them through makes a run start in about a millisecond. models.tables stays out of reach of everything in
workflows/ (import-linter holds it).
"""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

_PASSED_THROUGH = ("models", "workflows", "pydantic", "pydantic_core", "annotated_types")
RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH),
)
