"""Stored answers to requests that may come again."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from models.db.base import document, instant, text


class IdempotencyKey(SQLModel, table=True):
    """The stored answer to a POST, written in the transaction of its effect. A new one replaces one that is too old to be given."""

    __table_args__ = (Index("ix_idempotencykey_created", "created_at"), {"info": {"replaces": True}})

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    scope: str = Field(sa_type=Text, primary_key=True)  # sha256 of subject, route and key
    request_hash: str = text()
    status: int
    headers: dict[str, Any] = document()
    body: str = text()
    created_at: datetime = instant()
