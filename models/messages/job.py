"""Work over many tickets, as its workflow knows it."""

from models.messages.message import Message

WORKFLOW = "Recalculation"
ADOPT = "adopt"
TASK_QUEUE = "maintenance"
RUN_BATCH = "job.run_batch"


class JobFacts(Message):
    """``version`` grows with every word of a person (pause, resume, cancel); the newer one wins. The counts are for the operator's eye."""

    merchant_id: int
    job_id: int
    version: int
    is_paused: bool = False
    has_ended: bool = False
    kind: str = ""
    total: int = 0
    done: int = 0
    request_id: str | None = None

    @property
    def workflow_id(self) -> str:
        return f"job-{self.job_id}"


class Turn(Message):
    """An activity's request: go on with this job for a while."""

    merchant_id: int
    job_id: int
    request_id: str | None = None
