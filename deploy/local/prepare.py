"""Migrate and seed the local database: ``python -m deploy.local.prepare``, between the start of the parts and the start of the API."""

import asyncio

from deploy.app_info import APP_INFO
from deploy.local.layout import read_layout
from deploy.local.seed import seed
from models.db.migrate import upgrade
from models.db.session import Database
from models.platform.settings import MigrationSettings, Settings


def main() -> None:
    upgrade(str(MigrationSettings().database_owner_url))
    asyncio.run(_seed(Settings(), read_layout().auto_close_seconds))


async def _seed(settings: Settings, auto_close_seconds: int) -> None:
    database = Database(str(settings.database_url), pool_size=1, node=APP_INFO.node)
    try:
        await seed(database, auto_close_seconds=auto_close_seconds)
    finally:
        await database.aclose()


if __name__ == "__main__":
    main()
