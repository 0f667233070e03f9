"""What every table shares: the merchant first in every key, instants with a zone, enumerations as text."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKeyConstraint, Interval, MetaData, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
).naming_convention


class Row(SQLModel):
    """A row of one merchant. The key starts with the merchant, so that no foreign key can reach across tenants."""

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


def big(*, nullable: bool = False) -> Any:
    return Field(default=None if nullable else ..., sa_type=BigInteger, nullable=nullable)


def instant(*, nullable: bool = False) -> Any:
    return Field(default=None if nullable else ..., sa_type=DateTime(timezone=True), nullable=nullable)


def duration() -> Any:
    return Field(default=timedelta(), sa_type=Interval, nullable=False)


def text(default: Any = ..., *, nullable: bool = False) -> Any:
    return Field(default=None if nullable else default, sa_type=Text, nullable=nullable)


def texts() -> Any:
    return Field(default_factory=list, sa_type=ARRAY(Text), nullable=False)


def document(*, nullable: bool = False) -> Any:
    if nullable:
        return Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    return Field(default_factory=dict, sa_type=JSONB, nullable=False)


def as_text(kind: type[StrEnum]) -> Enum:
    """An enumeration kept as text: a new value needs no migration of a type."""
    return Enum(kind, native_enum=False, length=40, create_constraint=False, values_callable=lambda members: [m.value for m in members])


def choice(kind: type[StrEnum], default: Any = ..., *, nullable: bool = False) -> Any:
    return Field(default=None if nullable else default, sa_type=as_text(kind), nullable=nullable)


def of_ticket() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"])
