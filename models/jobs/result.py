"""What a job has found beyond its counts."""

from collections import Counter
from collections.abc import Iterable, Sequence

from models.jobs.tables import Job
from models.sla.order import Standing
from models.sla.recalculate import Shift
from models.sla.rulebook import PROPOSED
from models.tickets.aggregate import TicketAggregate

NAMED = 200
"""How many things a job names in its result, of a kind."""


def tally(job: Job, standings: Iterable[Standing]) -> None:
    """Which policies win how many tickets, and why the one that is tried does not win those."""
    counts = Counter({(each["id"], each["name"], each["reason"]): each["tickets"] for each in job.result.get("wonBy", [])})
    counts.update((*_winner(each), each.reason) for each in standings)
    won_by = [{"id": id_, "name": name, "reason": reason, "tickets": count} for (id_, name, reason), count in counts.most_common(NAMED)]
    job.result = job.result | {"wonBy": won_by}


def _winner(standing: Standing) -> tuple[str | None, str | None]:
    """Its id and its name: of a policy that is only proposed the name alone."""
    won_by = standing.won_by
    if won_by is None:
        return None, None
    return None if won_by.id == PROPOSED else str(won_by.id), won_by.policy.name


def count(job: Job, ticket: TicketAggregate, shift: Shift) -> None:
    job.changed += 1
    job.breached += shift.would_breach
    if shift.would_breach:
        name_ids(job, "overdueTicketIds", [ticket.row.id])


def name_ids(job: Job, what: str, ids: Sequence[int]) -> None:
    """Replaced, not changed in place: only so does the session see it."""
    if ids:
        named = [*job.result.get(what, []), *map(str, ids)][:NAMED]
        job.result = {**job.result, what: named}
