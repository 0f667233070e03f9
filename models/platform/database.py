"""The connections to PostgreSQL, as the API and the worker both make them."""

from models.db.pool import Limits
from models.db.session import Database
from models.platform.settings import Settings


def open_pool(settings: Settings, node: int) -> Database:
    """A pool of the application role, as large and as patient as the settings say; ``node`` is the ten bits in every id."""
    return Database(
        str(settings.database_url),
        pool_size=settings.database_pool_size,
        node=node,
        share=settings.database_merchant_share,
        limits=Limits(settings.database_statement_seconds, settings.database_lock_seconds, settings.database_idle_seconds),
    )
