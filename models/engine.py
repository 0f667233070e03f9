"""The connection to the engine, as the API and the worker both make it."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from models.settings import Settings


async def connect(settings: Settings) -> Client:
    """A client that connects when it is first used: the API starts, and takes tickets, while the engine is away."""
    key = settings.temporal_api_key
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        tls=settings.temporal_tls,
        api_key=key.get_secret_value() if key else None,
        data_converter=pydantic_data_converter,
        lazy=True,
    )


async def answers(client: Client) -> bool:
    """Whether the engine serves, asked for at most two seconds."""
    try:
        return await client.service_client.check_health(timeout=timedelta(seconds=2))
    except (RPCError, RuntimeError):
        return False
