"""Ids in paths: what can't be an id names nothing, so it is a 404 like any other thing that does not exist.

The dependencies are async although nothing waits in them: FastAPI sends a plain function through a thread pool.
"""

import re
from typing import Annotated, Any, Final

from fastapi import Depends, Path

from api.http.responses import ID
from models.errors import NotFound

TicketIdText = Annotated[str, Path(alias="ticket_id", description="a ticket's id", json_schema_extra=ID)]

_NUMBER: Final[dict[str, Any]] = {"pattern": "^[1-9][0-9]{0,9}$", "maxLength": 10}
_NAME: Final[dict[str, Any]] = {"pattern": r"^[^\x00-\x1f\x7f/]+$", "maxLength": 100}


def known(text: str, what: str = "id") -> int:
    """The id that ``text`` is.

    Raises:
        NotFound: it can't be the id of a ``what``.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise NotFound(what)
    return int(text)


async def _ticket_id(ticket_id: TicketIdText) -> int:
    return known(ticket_id)


async def _agent_id(agent_id: Annotated[str, Path(description="an agent's id", json_schema_extra=ID)]) -> int:
    return known(agent_id)


async def _team_id(team_id: Annotated[str, Path(description="a team's id", json_schema_extra=ID)]) -> int:
    return known(team_id)


async def _merchant_id(merchant_id: Annotated[str, Path(description="a merchant's id", json_schema_extra=ID)]) -> int:
    return known(merchant_id)


async def _notification_id(notification_id: Annotated[str, Path(description="a notification's id", json_schema_extra=ID)]) -> int:
    return known(notification_id)


async def _job_id(job_id: Annotated[str, Path(description="a job's id", json_schema_extra=ID)]) -> int:
    return known(job_id)


async def _calendar_id(calendar_id: Annotated[str, Path(description="a calendar's id", json_schema_extra=ID)]) -> int:
    return known(calendar_id)


async def _policy_id(policy_id: Annotated[str, Path(description="a policy's id", json_schema_extra=ID)]) -> int:
    return known(policy_id)


async def _ladder_id(ladder_id: Annotated[str, Path(description="a ladder's id", json_schema_extra=ID)]) -> int:
    return known(ladder_id)


async def _version(version: Annotated[str, Path(description="a version's number", json_schema_extra=_NUMBER)]) -> int:
    number = known(version)
    if number >= 2**31:
        raise NotFound("version")
    return number


async def _category_name(name: Annotated[str, Path(description="a category's name", json_schema_extra=_NAME)]) -> str:
    if len(name) > 100 or not re.fullmatch(str(_NAME["pattern"]), name):
        raise NotFound("category")
    return name


TicketId = Annotated[int, Depends(_ticket_id)]
AgentId = Annotated[int, Depends(_agent_id)]
TeamId = Annotated[int, Depends(_team_id)]
CategoryName = Annotated[str, Depends(_category_name)]
MerchantId = Annotated[int, Depends(_merchant_id)]
NotificationId = Annotated[int, Depends(_notification_id)]
JobId = Annotated[int, Depends(_job_id)]
CalendarId = Annotated[int, Depends(_calendar_id)]
PolicyId = Annotated[int, Depends(_policy_id)]
LadderId = Annotated[int, Depends(_ladder_id)]
Version = Annotated[int, Depends(_version)]
