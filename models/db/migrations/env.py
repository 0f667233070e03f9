"""Alembic's entry: one connection of the owner, one transaction, one migration at a time."""

import asyncio

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from models.db.migrate import require_known
from models.db.schema import metadata

_ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(120, 1)")


def _migrate(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_server_default=False)
    with context.begin_transaction():
        connection.execute(_ONE_AT_A_TIME)
        require_known(context.get_context().get_current_revision())
        context.run_migrations()


async def _connect() -> None:
    url = sa.make_url(context.config.attributes["owner_url"]).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_connect())
