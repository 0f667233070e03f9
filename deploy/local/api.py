"""The API with the ``/dev`` routes beside it: ``RUN_MODE=local python -m deploy.local.api``."""

import os
import sys

import uvloop

from api.main import serve
from deploy.app_info import APP_INFO
from deploy.local.identity import DevelopmentIdentity
from deploy.local.layout import AUDIENCE, CannotStartError, read_layout
from deploy.local.refusal import refuse_production
from deploy.local.routes import routes
from models.db.session import Database
from models.platform.settings import Settings


def main() -> None:
    if os.environ.get("RUN_MODE") != "local":
        sys.exit("deploy.local.api starts only with RUN_MODE=local")
    try:
        refuse_production(os.environ)
    except CannotStartError as error:
        sys.exit(str(error))
    uvloop.run(_serve(Settings()))


async def _serve(settings: Settings) -> None:
    layout = read_layout()
    identity = DevelopmentIdentity(layout.identity_key, issuer=layout.issuer, audience=AUDIENCE)
    database = Database(str(settings.database_url), pool_size=1, node=APP_INFO.node)
    try:
        await serve(settings, node=APP_INFO.node, routers=[routes(database=database, identity=identity, mail=layout.mail)])
    finally:
        await database.aclose()


if __name__ == "__main__":
    main()
