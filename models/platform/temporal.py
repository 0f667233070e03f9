"""The connection to Temporal, as the API and the worker both make it."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import GrpcCompression, RPCError, TLSConfig

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
        tls=_tls(settings) if settings.temporal_tls else False,
        api_key=key.get_secret_value() if key else None,
        data_converter=pydantic_data_converter,
        grpc_compression=GrpcCompression.NONE,  # within one network gzip costs more processor time than it saves
        lazy=connection is Connection.WHEN_USED,
        runtime=runtime,
        interceptors=interceptors,
    )


def _tls(settings: TemporalSettings) -> TLSConfig:
    """What is not set is the system's: its authorities, the host of the address; without a certificate we show none."""
    ca, certificate, key = settings.temporal_tls_ca, settings.temporal_tls_certificate, settings.temporal_tls_key
    return TLSConfig(
        server_root_ca_cert=ca.get_secret_value().encode() if ca else None,
        domain=settings.temporal_tls_server_name,
        client_cert=certificate.get_secret_value().encode() if certificate else None,
        client_private_key=key.get_secret_value().encode() if key else None,
    )


async def is_reachable(client: Client) -> bool:
    """Whether Temporal serves, asked for at most two seconds."""
    try:
        return await client.service_client.check_health(timeout=timedelta(seconds=2))
    except (RPCError, RuntimeError):
        return False
