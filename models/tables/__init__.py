"""Every table, and the tenant session. Importing this package registers them all."""

from sqlmodel import SQLModel

from models.tables import job, outgoing, people, sla, ticket

metadata = SQLModel.metadata

__all__ = ["job", "metadata", "outgoing", "people", "sla", "ticket"]
