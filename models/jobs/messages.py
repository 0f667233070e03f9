"""Work over many things, as its workflow knows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from models.payload import Payload

WORKFLOW = "Job"
ADOPT = "adopt"
TASK_QUEUE = "jobs"
RUN_BATCH = "job.run_batch"
_CALLED: Final[Mapping[str, str]] = MappingProxyType({"all_sla_checks": "merchant", "notification_replay": "notification"})


def called(kind: str) -> str:
    """The noun for what a job of this kind looks at."""
    return _CALLED.get(kind, "ticket")


class JobRef(Payload):
    merchant_id: int
    job_id: int
    request_id: str | None = None

    @property
    def workflow_id(self) -> str:
        return f"job-{self.job_id}"


class JobFacts(JobRef):
    """``version`` grows with every word of a person (pause, resume, cancel); the newer one wins. The counts are for the operator's eye."""

    version: int
    is_paused: bool = False
    has_ended: bool = False
    kind: str = ""
    total: int = 0
    done: int = 0

    @property
    def goes_on(self) -> bool:
        return not (self.is_paused or self.has_ended)
