"""The questions of a command to the database and to Temporal."""

import asyncio
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa
from pydantic.alias_generators import to_camel
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from deploy.cli.verb import CommandError, ExitCode
from models.db.pool import engine_of
from models.outbox import messages as maintenance
from models.platform.settings import TemporalSettings
from models.platform.temporal import Connection, connect

_DEPTHS: Final = sa.text("""
    SELECT merchant_id, topic, count(*), extract(epoch FROM now() - min(written_at)), count(*) FILTER (WHERE leased_until > now())
    FROM (SELECT merchant_id, topic, written_at, leased_until FROM outbox LIMIT 100000) AS counted
    GROUP BY 1, 2 ORDER BY min(written_at) LIMIT :at_most
""")
"""Of at most 100,000 rows, as the gauges count them."""


async def depths(relay_url: str, at_most: int) -> list[dict[str, Any]]:
    """Of each merchant and topic, the oldest first."""
    across = engine_of(relay_url, pool_size=1)
    try:
        async with across.connect() as connection:
            found = (await connection.execute(_DEPTHS, {"at_most": at_most})).all()
    finally:
        await across.dispose()
    names = ("merchantId", "topic", "rows", "oldestSeconds", "leased")
    return [dict(zip(names, (str(merchant), topic, rows, round(age), leased), strict=True)) for merchant, topic, rows, age, leased in found]


async def reconciled(settings: TemporalSettings, seconds: float) -> dict[str, Any]:
    """What one reconciliation found.

    Raises:
        CommandError: Temporal can't be reached, or no worker did it in time.
    """
    client = None
    try:
        async with asyncio.timeout(seconds):
            client = await connect(settings, Connection.NOW)
            healed = await client.execute_workflow(
                maintenance.WORKFLOW, id=f"reconciliation-{uuid4()}", task_queue=maintenance.TASK_QUEUE, result_type=maintenance.Healed
            )
    except (RPCError, RuntimeError, TimeoutError) as error:
        says = f"No worker did it in {seconds:g} s: does one run with the queue maintenance? It is done when one does."
        if client is None or not isinstance(error, TimeoutError):
            says = f"Temporal ({settings.temporal_address}) can't be reached in {seconds:g} s{f': {error}' if str(error) else ''}."
        raise CommandError(says, ExitCode.AWAY) from None
    except WorkflowFailureError as error:
        raise CommandError(f"The reconciliation failed: {error.cause}.", ExitCode.FAILED) from None
    return {to_camel(name): count for name, count in healed.model_dump(mode="json").items()}
