"""The connection to Temporal, as the API and the worker both make it."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import GrpcCompression, RPCError

from models.platform.settings import TemporalSettings


class Connection(StrEnum):
    """``WHEN_USED``: the API starts, and takes tickets, while Temporal is down. ``NOW``: a worker has nothing to do without it."""

    WHEN_USED = "when used"
    NOW = "now"


def measured(host: str, port: int) -> Runtime:
    """A runtime of Temporal's SDK that tells Prometheus what it measures, on a port of its own, under the names that Prometheus expects.

    Raises:
        ValueError: the port is taken, or ``host`` is no address.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    prometheus = PrometheusConfig(address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True)
    return Runtime(telemetry=TelemetryConfig(metrics=prometheus))


async def connect(
    settings: TemporalSettings, connection: Connection, runtime: Runtime | None = None, interceptors: Sequence[Interceptor] = ()
) -> Client:
    """Connect to Temporal; without a ``runtime`` by the one that measures nothing.

    Raises:
        RuntimeError: it can't be reached, and the connection was wanted now.
    """
    key = settings.temporal_api_key
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        tls=settings.temporal_tls,
        api_key=key.get_secret_value() if key else None,
        data_converter=pydantic_data_converter,
        grpc_compression=GrpcCompression.NONE,  # within one network gzip costs more processor time than it saves
        lazy=connection is Connection.WHEN_USED,
        runtime=runtime,
        interceptors=interceptors,
    )


async def is_reachable(client: Client) -> bool:
    """Whether Temporal serves, asked for at most two seconds."""
    try:
        return await client.service_client.check_health(timeout=timedelta(seconds=2))
    except (RPCError, RuntimeError):
        return False
