"""Every table, and the tenant session. Importing this package registers them all."""

from sqlmodel import SQLModel

from models.tables import outgoing, people, sla, ticket

metadata = SQLModel.metadata

__all__ = ["metadata", "outgoing", "people", "sla", "ticket"]
