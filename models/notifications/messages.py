"""Deliveries: each is one notification to one recipient on one channel."""

from enum import StrEnum

from models.payload import Payload

WORKFLOW = "Delivery"
TASK_QUEUE = "notifications"
DELIVER = "notification.deliver"
NOT_YET = "NotYet"
"""The type of the failure by which a try says why there has to be another one, in words that name nobody."""
MAXIMUM_TRIES = 5
TRY_SECONDS = 120.0
"""How long one try may take: a conversation with the mail server and what is written about it. The parts below have their own limits."""
INTRODUCTION_SECONDS = 45.0
"""Of these, until the mail server has taken the recipient: so a server that answers each command late uses up tries."""
ANSWER_SECONDS = 55.0
"""From the begin of an attempt to the mail server's answer, at most; see ``SmtpServer.answer_seconds``."""
RECORD_SECONDS = 8.0
"""To record the end of an attempt."""
WORKFLOW_SECONDS = 3 * 3600.0
"""How long a workflow goes on with a notification. Longer than five tries take: after this the reconciliation starts another workflow."""


class NotificationStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    UNKNOWN = "unknown"  # the server may or may not have taken it: nothing was heard from it after DATA had begun
    DEAD = "dead"
    IN_DIGEST = "in_digest"  # held back by the hourly limit of its address, and listed in a digest
    CANCELLED = "cancelled"  # it had not left, and the ticket was deleted or ended, or its rung acknowledged


class DeliveryRef(Payload):
    """``round`` counts the replays of a notification: each round has its own five tries. What follows it is for logs and for the
    operator's eye; ``request_id`` is the request that caused the notification, or its replay."""

    merchant_id: int
    notification_id: int
    round: int = 0
    request_id: str | None = None
    merchant_slug: str = ""
    ticket_id: int | None = None
    ticket_number: int | None = None
    kind: str = ""


class DeliveryBatch(Payload):
    """The notifications of one merchant that one workflow delivers, side by side.

    ``retry_seconds`` is the pause before a notification's second try; each further one is four times as long.
    """

    merchant_id: int
    notifications: tuple[DeliveryRef, ...]
    retry_seconds: float
