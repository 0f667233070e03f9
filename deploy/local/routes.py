"""The four ``/dev`` routes of the contract. They exist only in RUN_MODE=local: nothing under api/ knows this module."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from deploy.local.identity import DevelopmentIdentity, Wanted
from deploy.local.mail import CaughtMail, received
from deploy.local.seed import world
from models.db.session import Database
from models.value import Value


class Issued(Value):
    access_token: str


def routes(*, database: Database, identity: DevelopmentIdentity, mail: Path) -> APIRouter:
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

    @router.get("/mail")
    def caught_mail() -> list[CaughtMail]:  # a plain function: reading files would hold up the event loop
        return received(mail)

    return router
