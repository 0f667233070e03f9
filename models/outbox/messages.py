"""Healing from outside: what the schedule asks for, and what it reports."""

from datetime import datetime

from models.payload import Payload

WORKFLOW = "Reconciliation"
TASK_QUEUE = "maintenance"
RECONCILE = "maintenance.reconcile"
SCHEDULE_ID = "reconciliation"


class ReconciliationAt(Payload):
    at: datetime


class Healed(Payload):
    """How much had been lost and was sent again; in a healthy system every number but ``keys_expired`` is 0.

    ``stuck`` was sent again by an earlier run and is still not acted on; the oldest of it has been due for ``stuck_seconds``.
    """

    tickets: int
    deliveries: int
    keys_expired: int
    jobs: int = 0
    stuck: int = 0
    stuck_seconds: int = 0
