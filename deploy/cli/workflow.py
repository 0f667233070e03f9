"""What Temporal knows of a workflow."""

import asyncio
from datetime import datetime
from typing import Any

from deploy.cli.environment import read
from deploy.cli.verb import CommandError

_SECONDS = 5.0
"""To connect and to ask: the rest of the story does not wait for longer."""


def workflow_of(workflow_id: str) -> dict[str, Any]:
    """How it stands, and what it waits for; or why that is not known."""
    return asyncio.run(_described(workflow_id))


async def _described(workflow_id: str) -> dict[str, Any]:
    from temporalio.service import RPCError, RPCStatusCode

    from models.platform.settings import TemporalSettings
    from models.platform.temporal import Connection, connect
    from models.tickets.search_attributes import MERCHANT

    try:
        settings = read(TemporalSettings)
    except CommandError as error:
        return {"id": workflow_id, "status": f"not asked: {error}"}
    try:
        async with asyncio.timeout(_SECONDS):
            client = await connect(settings, Connection.WHEN_USED)
            found = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        there_is_none = error.status is RPCStatusCode.NOT_FOUND
        says = "has no such workflow" if there_is_none else f"can't be asked: {error.status.name.lower()}"
        return {"id": workflow_id, "status": f"Temporal at {settings.temporal_address} {says}"}
    except (RuntimeError, TimeoutError):
        return {"id": workflow_id, "status": f"Temporal at {settings.temporal_address} can't be reached"}
    pending = found.raw_description.pending_activities
    return {
        "id": workflow_id,
        "status": found.status.name.lower() if found.status else "unknown",
        "run": found.run_id,
        "merchant": found.typed_search_attributes.get(MERCHANT),
        "queue": found.task_queue,
        "begun": _told(found.start_time),
        "ended": _told(found.close_time),
        "events": found.history_length,
        "pending": [f"{each.activity_type.name}, try {each.attempt}: {each.last_failure.message or 'runs'}" for each in pending],
    }


def _told(at: datetime | None) -> str | None:
    """As the API tells an instant."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None
