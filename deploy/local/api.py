"""The API with five ``/dev`` routes beside it: ``RUN_MODE=local python -m deploy.local.api``. Nothing under api/ knows this module."""

import os
import pathlib
import sys
from socket import socket
from typing import Annotated, Any

import uvloop
from fastapi import APIRouter, Path, Request, Response

from api.main import serve
from api.portal.pages import wants_page
from deploy.app_info import APP_INFO
from deploy.local.identity import DevelopmentIdentity, Wanted
from deploy.local.layout import AUDIENCE, CannotStartError, read_layout
from deploy.local.mail import CaughtMail, received, received_as
from deploy.local.mail_page import page_of, page_of_all
from deploy.local.refusal import refuse_production
from deploy.local.seed import world
from deploy.siblings import play
from models.db.session import Database
from models.platform.metrics import BUILD
from models.platform.settings import Settings
from models.value import Value


class Issued(Value):
    access_token: str


def main() -> None:
    if os.environ.get("RUN_MODE") != "local":
        sys.exit("deploy.local.api starts only with RUN_MODE=local")
    try:
        refuse_production(os.environ)
    except CannotStartError as error:
        sys.exit(str(error))
    settings = Settings()
    sys.exit(play(_part, settings, processes=settings.http_processes, port=settings.http_port))


def _part(settings: Settings, listener: socket | None) -> None:
    uvloop.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket | None) -> None:
    layout = read_layout()
    identity = DevelopmentIdentity(layout.identity_key, issuer=layout.issuer, audience=AUDIENCE)
    BUILD.labels(APP_INFO.code, APP_INFO.node).set(1)
    database = Database(str(settings.database_url), pool_size=1, node=APP_INFO.node)
    try:
        await serve(settings, node=APP_INFO.node, code=APP_INFO.code, routers=[routes(database, identity, layout.mail)], listener=listener)
    finally:
        await database.aclose()


def routes(database: Database, identity: DevelopmentIdentity, mail: pathlib.Path) -> APIRouter:
    """``mail`` is the folder of the mail catcher."""
    router = APIRouter(prefix="/dev", tags=["local only"])

    @router.get("/identity/.well-known/jwks.json")
    async def key_set() -> dict[str, Any]:
        return identity.jwks()

    @router.post("/identity/token")
    async def issue_token(wanted: Wanted) -> Issued:
        return Issued(access_token=identity.token(wanted))

    @router.get("/world")
    async def seeded_world() -> dict[str, Any]:
        return await world(database)

    # Plain functions: reading files would hold up the event loop. A browser gets a page, any other client JSON.
    @router.get("/mail", response_model=list[CaughtMail])
    def caught_mail(request: Request) -> Response | list[CaughtMail]:
        caught = received(mail)
        return page_of_all(caught) if wants_page(request) else caught

    @router.get("/mail/{mail_id}", response_model=CaughtMail)
    def one_mail(request: Request, mail_id: Annotated[str, Path(pattern="^[0-9]{20}$")]) -> Response | CaughtMail:
        caught = received_as(mail, mail_id)
        return page_of(caught) if wants_page(request) else caught

    return router


if __name__ == "__main__":
    main()
