"""Ids in paths: what can't be an id names nothing, so it is a 404 like any other thing that does not exist.

The dependencies are async although nothing waits in them: FastAPI sends a plain function through a thread pool.
"""

from typing import Annotated

from fastapi import Depends, Path

from api.errors import Missing


def _known(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise Missing
    return int(text)


async def _ticket_id(ticket_id: Annotated[str, Path(description="a ticket's id")]) -> int:
    return _known(ticket_id)


async def _agent_id(agent_id: Annotated[str, Path(description="an agent's id")]) -> int:
    return _known(agent_id)


async def _merchant_id(merchant_id: Annotated[str, Path(description="a merchant's id")]) -> int:
    return _known(merchant_id)


async def _notification_id(notification_id: Annotated[str, Path(description="a notification's id")]) -> int:
    return _known(notification_id)


TicketId = Annotated[int, Depends(_ticket_id)]
AgentId = Annotated[int, Depends(_agent_id)]
MerchantId = Annotated[int, Depends(_merchant_id)]
NotificationId = Annotated[int, Depends(_notification_id)]
