"""Too much is refused with 429, to the one who asks for too much and to nobody else."""

from collections.abc import Sequence
from ipaddress import ip_network

import httpx
import pytest
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.http.admission import COSTS, DEAR, cost_of
from api.http.limits import Rate
from api.main import composed
from models.platform.settings import Settings
from tests.support.desk import BASE, NODE, Desk, Merchant
from tests.support.isolated import Isolated
from tests.support.limited import ADDRESS, like, limited

BURST = 30
SLOW = Rate(per_second=0.1, burst=BURST)
"""Nothing comes back while a test runs."""
_RARE = ("/audit", "DELETE /agents/", "/preview", "/recalculations", "/reports/", "/count", "/exports", "/checks", "/replays", "/handover")


@pytest.fixture
def app(desk: Desk) -> FastAPI:
    return limited(desk, SLOW)


async def ask(client: httpx.AsyncClient, path: str, times: int) -> Sequence[int]:
    return [(await client.get(path)).status_code for _ in range(times)]


async def test_a_subject_that_asks_for_too_much_is_refused_and_its_colleague_is_not(app: FastAPI, acme: Merchant) -> None:
    ana, leo = like(acme.ana, app), like(acme.leo, app)
    assert await ask(ana, "/me", BURST) == [200] * BURST
    refused = await ana.get("/me")
    assert (refused.status_code, refused.json()["code"], refused.headers["Content-Type"]) == (
        429,
        "rate_limited",
        "application/problem+json",
    )
    seconds = int(refused.headers["Retry-After"])
    assert seconds > 0
    assert refused.headers["RateLimit"] == f'"subject";r=0;t={seconds}'
    assert refused.headers["RateLimit-Policy"] == f'"subject";q={BURST};w=300'
    assert f"again in {seconds} s" in refused.json()["detail"]
    assert await ask(leo, "/me", 1) == [200]


async def test_a_merchant_that_spends_its_whole_allowance_is_in_nobody_elses_way(app: FastAPI, acme: Merchant, globex: Merchant) -> None:
    everybody = [like(client, app) for client in (acme.ana, acme.leo, acme.sina, acme.lars)]
    spent = [status for client in everybody for status in await ask(client, "/me", BURST)]
    assert (spent.count(200), spent.count(429)) == (2 * BURST, 2 * BURST)
    refused = await like(acme.adam, app).get("/me")
    assert refused.headers["RateLimit-Policy"] == f'"merchant";q={2 * BURST};w=300'
    assert await ask(like(globex.ana, app), "/me", BURST) == [200] * BURST


async def test_what_a_subject_is_refused_does_not_count_on_its_merchant(app: FastAPI, acme: Merchant) -> None:
    await ask(like(acme.ana, app), "/me", 3 * BURST)
    assert await ask(like(acme.leo, app), "/me", BURST) == [200] * BURST


@pytest.mark.parametrize("path", ["/tickets?q=till", "/tickets/count", "/reports/queues"])
async def test_a_search_a_count_and_a_report_count_ten(app: FastAPI, acme: Merchant, path: str) -> None:
    assert await ask(like(acme.lars, app), path, 4) == [200, 200, 200, 429]


def test_every_route_of_many_rows_has_its_cost_and_every_cost_its_route(desk: Desk) -> None:
    paths = desk.app.openapi()["paths"]
    served = {f"{verb.upper()} {path.removeprefix(BASE)}" for path, verbs in paths.items() for verb in verbs}
    assert served >= COSTS.keys()
    assert {route for route in served if any(part in route for part in _RARE)} == COSTS.keys()
    assert cost_of("GET", f"{BASE}/tickets/count") == DEAR
    assert cost_of("GET", f"{BASE}/tickets") == 1


async def test_too_much_is_refused_before_a_body_is_read(app: FastAPI, acme: Merchant) -> None:
    rita = like(acme.rita, app)
    await ask(rita, "/me", BURST)
    assert (await rita.post("/tickets", content=b"{", headers={"Content-Type": "application/json"})).status_code == 429


async def test_a_flood_without_a_token_is_refused_by_its_address_and_a_good_token_from_there_is_not(app: FastAPI, acme: Merchant) -> None:
    stranger = like(httpx.AsyncClient(), app)
    assert set(await ask(stranger, "/me", BURST)) == {401}
    assert await ask(stranger, "/me", 1) == [429]
    assert await ask(like(acme.ana, app), "/me", 1) == [200]
    assert await ask(like(httpx.AsyncClient(), app, "192.0.2.2"), "/me", 1) == [401]


async def test_a_bad_token_and_a_merchant_that_is_not_the_tokens_count_on_the_address(app: FastAPI, acme: Merchant) -> None:
    ana = like(acme.ana, app)
    asked = [await ana.get("/me", headers={"X-Merchant-Id": "1"}) for _ in range(BURST)]
    assert {response.status_code for response in asked} == {404}
    assert (await ana.get("/me", headers={"Authorization": "Bearer e30.e30.AA"})).status_code == 429


async def test_the_addresses_of_one_ipv6_network_are_one(app: FastAPI) -> None:
    for n in range(BURST):
        await ask(like(httpx.AsyncClient(), app, f"2001:db8::{n:x}"), "/me", 1)
    assert await ask(like(httpx.AsyncClient(), app, "2001:db8::ffff"), "/me", 1) == [429]
    assert await ask(like(httpx.AsyncClient(), app, "2001:db8:0:1::1"), "/me", 1) == [401]


async def test_a_public_route_is_limited_by_the_address(app: FastAPI) -> None:
    guessing = like(httpx.AsyncClient(), app)
    assert set(await ask(guessing, "/surveys/guess", BURST)) == {404}
    assert await ask(guessing, "/surveys/guess", 1) == [429]


async def test_probes_are_not_limited(app: FastAPI) -> None:
    probing = like(httpx.AsyncClient(), app)
    assert set(await ask(probing, "/me", BURST + 1)) == {401, 429}
    assert [(await probing.get(f"http://desk.test/{probe}")).status_code for probe in ("healthz", "readyz")] == [200, 200]


@pytest.mark.parametrize(("proxy", "status"), [("10.1.2.3", 401), (ADDRESS, 429)])
async def test_only_a_trusted_proxy_says_whose_address_it_is(app: FastAPI, proxy: str, status: int) -> None:
    behind = ProxyHeadersMiddleware(app, trusted_hosts=[str(ip_network("10.0.0.0/8"))])  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=behind, client=(proxy, 50_000))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=f"http://desk.test{BASE}") as client:
        asked = [await client.get("/me", headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(BURST + 1)]
    assert asked[-1].status_code == status


async def test_the_limits_of_the_settings_are_those_of_the_process(quiet: tuple[Isolated, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"APP_ENV_RATE_LIMIT_PER_SECOND": "0.1", "APP_ENV_RATE_LIMIT_BURST": str(BURST)}
    for name, value in (quiet[0].settings() | limits).items():
        monkeypatch.setenv(name, value)
    async with composed(Settings(), NODE) as app:
        assert await ask(like(httpx.AsyncClient(), app), "/me", BURST + 1) == [401] * BURST + [429]
