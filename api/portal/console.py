"""Where the links of agents' e-mails lead until there is a console: how to reach the ticket by the API. Of the ticket it tells nothing."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.portal.pages import PageRoute, page
from models.platform.addresses import BASE

TicketId = Annotated[str, Path(pattern="^[1-9][0-9]{0,18}$")]


class ConsoleRoute(PageRoute):
    """For people only."""

    def is_for_people(self, _request: Request) -> bool:
        return True


router = APIRouter(prefix="/console", route_class=ConsoleRoute, include_in_schema=False)


@router.get("/tickets/{ticket_id}")
async def show_console(ticket_id: TicketId) -> Response:
    return page("console.html", path=f"{BASE}/tickets/{ticket_id}")
