"""Notifications that did not get through, again: another round of attempts for each."""

from models.audit import Change
from models.db.session import TenantSession
from models.errors import Conflict
from models.jobs.items import ids_left
from models.jobs.result import name_ids
from models.jobs.tables import Job
from models.notifications.delivery_log import begin_round


async def replay_notifications(session: TenantSession, job: Job, size: int, change: Change) -> list[int]:
    """One that a person has replayed meanwhile is left as it is."""
    ids = list((await session.execute(ids_left(session, job.kind, job.request, job.cursor).limit(size))).scalars())
    replayed = [id_ for id_ in ids if await _has_another_round(session, id_, change)]
    job.changed += len(replayed)
    name_ids(job, "replayedNotificationIds", replayed)
    return ids


async def _has_another_round(session: TenantSession, notification_id: int, change: Change) -> bool:
    try:
        await begin_round(session, notification_id, change)
    except Conflict:
        return False
    return True
