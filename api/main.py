"""The API process: settings -> adapters -> app -> serve."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial

from fastapi import APIRouter, FastAPI
from temporalio.client import Interceptor

from api.app import create_app
from api.auth.jwks import KeySet
from api.auth.tokens import TokenVerifier
from api.context import Context
from api.http.limits import Rate, RateLimits, storage_at
from api.http.server import serve_until_signalled, server_of
from models.outbox.dispatch import Dispatcher
from models.outbox.relay import FACTS, Relay
from models.platform import logging as logs
from models.platform import temporal, tracing
from models.platform.database import open_pool
from models.platform.metrics import JWKS_AGE
from models.platform.scrape import of_pool, of_temporal, scraped
from models.platform.settings import Settings
from models.platform.zones import use_packaged_time_zones

RELAYED_AT_ONCE = 4
"""A burst of tickets must not starve the people who open them: the workers' relays help."""


async def serve(
    settings: Settings, *, node: int, code: str, routers: Sequence[APIRouter] = (), listener: socket.socket | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, on ``listener`` if it is shared with other processes.

    ``node`` is the ten bits in every id, ``code`` its service's; ``routers`` are the local-only routes of deploy/local.
    """
    use_packaged_time_zones()
    logs.configure(settings.log_level)
    with tracing.recorded(settings, "helpdesk-api", code) as interceptors:
        await _serve(settings, node, routers, listener, interceptors)


async def _serve(
    settings: Settings, node: int, routers: Sequence[APIRouter], listener: socket.socket | None, interceptors: Sequence[Interceptor]
) -> None:
    async with composed(settings, node, interceptors) as app:
        for router in routers:
            app.include_router(router)
        gc.collect()
        gc.freeze()  # what stands now stays: to look through it in each full collection keeps everybody waiting for 0.1 s
        proxies = [str(network) for network in settings.trusted_proxies]
        context: Context = app.state.context
        look = (partial(of_pool, context.database), partial(of_keys, context.keys), partial(of_temporal, context.temporal_answers))
        async with scraped(settings.http_host, settings.http_metrics_port, look):
            server = server_of(app, host=settings.http_host, port=settings.http_port, trusted_proxies=proxies)
            drain = app.state.readiness.drain
            await serve_until_signalled(server, drain_seconds=settings.http_drain_seconds, drain=drain, listener=listener)


async def of_keys(keys: KeySet) -> None:
    JWKS_AGE.set(keys.age_seconds)


@contextlib.asynccontextmanager
async def composed(settings: Settings, node: int, interceptors: Sequence[Interceptor] = ()) -> AsyncIterator[FastAPI]:
    """The app with its relay running beside it."""
    client = await temporal.connect(settings, temporal.Connection.WHEN_USED, interceptors=interceptors)
    database = open_pool(settings, node)
    keys = KeySet(str(settings.identity_jwks_url))
    dispatcher = Dispatcher(client, retry_seconds=settings.mail_retry_seconds, public_url=str(settings.public_url), at_once=RELAYED_AT_ONCE)
    relay = Relay(str(settings.database_relay_url), dispatcher, FACTS)
    context = Context(
        database=database,
        keys=keys,
        verifier=TokenVerifier(
            keys, settings.identity_issuer, settings.identity_audience, emails_verified=settings.identity_emails_verified
        ),
        trigger_relay=relay.trigger,
        temporal_answers=lambda: temporal.is_reachable(client),
        now=lambda: datetime.now(UTC),
        signing_keys=settings.plain_signing_keys,
        rate_limits=RateLimits(
            storage_at(settings.rate_limit_storage),
            Rate(settings.rate_limit_per_second, settings.rate_limit_burst),
            settings.rate_limit_merchant_subjects,
        ),
        workflows_url=settings.workflows_url,
    )
    relaying = asyncio.create_task(relay.run())
    try:
        yield create_app(context)
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await keys.aclose()
        await database.aclose()
