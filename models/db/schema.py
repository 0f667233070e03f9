"""Every table: importing this module registers them all."""

from sqlmodel import SQLModel

from models.db import idempotency
from models.jobs import tables as jobs
from models.notifications import tables as notifications
from models.outbox import tables as outbox
from models.people import tables as people
from models.sla import tables as sla
from models.surveys import tables as surveys
from models.tickets import tables as tickets

metadata = SQLModel.metadata

__all__ = ["idempotency", "jobs", "metadata", "notifications", "outbox", "people", "sla", "surveys", "tickets"]
