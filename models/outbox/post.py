"""What Temporal has to be sent, written in the transaction of the change that it is about.

One row for each workflow, and for each notification: a newer one takes the place of one that still waits. A relay (see
:mod:`models.outbox.relay`) sends it at least once.
"""

from datetime import datetime

from models.audit import Change
from models.db.session import TenantSession
from models.jobs.messages import JobFacts
from models.notifications.messages import DeliveryRef
from models.outbox.tables import Outbox, Topic
from models.platform import tracing
from models.tickets.messages import TicketFacts


def post_facts(session: TenantSession, facts: TicketFacts, change: Change) -> None:
    news = facts.model_copy(update={"request_id": change.request_id})
    _post(session, news, facts.workflow_id, Topic.TICKET, facts.version, change)


def post_delivery(session: TenantSession, delivery: DeliveryRef, change: Change, *, not_before: datetime | None = None) -> None:
    """No relay takes it before ``not_before``: until then it is leased."""
    key = f"notification-{delivery.notification_id}"
    _post(session, delivery, key, Topic.DELIVERY, delivery.round, change, not_before)


def post_job(session: TenantSession, facts: JobFacts, change: Change) -> None:
    news = facts.model_copy(update={"request_id": change.request_id})
    _post(session, news, facts.workflow_id, Topic.JOB, facts.version, change)


def _post(  # noqa: PLR0913, PLR0917 - one a column
    session: TenantSession,
    message: TicketFacts | DeliveryRef | JobFacts,
    key: str,
    topic: Topic,
    version: int,
    change: Change,
    leased_until: datetime | None = None,
) -> None:
    session.append(
        Outbox,
        merchant_id=message.merchant_id,
        key=key,
        topic=topic,
        version=version,
        payload=message.model_dump(mode="json") | tracing.carried(),
        written_at=change.at,
        leased_until=leased_until,
    )
