"""A whole helpdesk for tests: real PostgreSQL, real Temporal, a real mail catcher and key set; API and worker run in this process.

Each test has merchants of its own (Acme and Globex, each with Ana, Leo, Sina, Lars and Rita), so tests never meet, and time moves only
where a test moves it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.email.smtp import SmtpServer
from activities.job import JobActivities
from activities.maintenance import MaintenanceActivities
from activities.notification import DeliveryActivities
from activities.ticket import TicketActivities
from api.app import create_app
from api.auth.jwks import KeySet
from api.auth.tokens import TokenVerifier
from api.context import Context
from api.http.limits import BoundedMemory, Rate, RateLimits
from deploy.local import mail
from deploy.local.identity import DevelopmentIdentity, Wanted
from deploy.local.seed import Person, World, write_world
from models.db.session import Database
from models.notifications.tables import DeliveryAttempt
from models.outbox.dispatch import Dispatcher
from models.outbox.relay import DELIVERIES, FACTS, Relay
from models.people.roles import Role
from models.people.tables import Agent
from models.platform.settings import MailSecurity
from models.platform.signed_links import sign
from worker import Activities, workers_of
from workflows.runner import WATCHED

BASE = "/v1/api/helpdesk"
SIGNING_KEYS = ("a-key-of-tests-that-has-more-than-32-characters",)
STAFFS = {"tags", "customFields", "channel", "organizerId"}
"""What a reporter does not decide of a ticket."""
UNLIMITED = 100_000
"""Notifications an hour to one address."""
NODE = 7
"""In every id that a test makes."""
_T = TypeVar("_T")
_merchants = count(50_001)


class MovableClock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Merchant:
    """One tenant of a test, with a client for each of its people."""

    desk: "Desk"
    id: int
    agents: dict[str, int]
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def client(self, sub: str, *roles: str, **claims: Any) -> httpx.AsyncClient:
        """A client that acts as ``sub``; each is made once."""
        if sub not in self.clients:
            wanted = Wanted(sub=f"{sub}-{self.id}", name=sub.title(), merchant_ids=(str(self.id),), roles=roles or ("agent",), **claims)
            self.clients[sub] = self.desk.client_with(self.desk.identity.token(wanted))
        return self.clients[sub]

    @property
    def rita(self) -> httpx.AsyncClient:
        """A reporter."""
        return self.client("rita", "reporter", email=f"rita-{self.id}@customer.example")

    @property
    def ana(self) -> httpx.AsyncClient:
        return self.client("ana", "agent")

    @property
    def leo(self) -> httpx.AsyncClient:
        return self.client("leo", "agent")

    @property
    def sina(self) -> httpx.AsyncClient:
        return self.client("sina", "senior")

    @property
    def lars(self) -> httpx.AsyncClient:
        return self.client("lars", "lead")

    @property
    def adam(self) -> httpx.AsyncClient:
        return self.client("adam", "admin")

    async def open(self, **fields: Any) -> dict[str, Any]:
        """Open a ticket as Rita, or as Lars for her where a field is not hers to decide; the answer's body."""
        body = {"subject": "The till does not open", "description": "Since this morning.", "category": "demo-fast"} | fields
        is_for_staff = STAFFS & fields.keys() or fields.get("priority") == "urgent"
        rita = {"reporter": {"name": "Rita", "email": f"rita-{self.id}@customer.example"}}
        response = await (self.lars.post("/tickets", json=body | rita) if is_for_staff else self.rita.post("/tickets", json=body))
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def get(self, ticket_id: str, part: str = "") -> Any:
        """What Lars, the lead, sees of a ticket."""
        response = await self.lars.get(f"/tickets/{ticket_id}{part}")
        assert response.status_code == 200, response.text
        return response.json()

    async def pages(self, ticket_id: str, part: str, limit: int = 100) -> list[list[Any]]:
        """What Lars sees of a list about a ticket, by following its links."""
        found, link = [], f"{BASE}/tickets/{ticket_id}{part}?limit={limit}"
        while link:
            response = await self.lars.get(link.removeprefix(BASE))
            assert response.status_code == 200, response.text
            found.append(response.json()["data"])
            link = response.links.get("next", {}).get("url", "")
        return found

    async def whole(self, ticket_id: str, part: str) -> list[Any]:
        return [row for page in await self.pages(ticket_id, part) for row in page]

    async def opened_and_assigned(self, **fields: Any) -> dict[str, Any]:
        ticket = await self.open(**fields)
        return await self.desk.until(lambda: self.get(ticket["id"]), lambda seen: seen["assigneeId"] is not None)


class Desk:
    def __init__(
        self,
        environment: WorkflowEnvironment,
        database: Database,
        relays: tuple[Relay, Relay],
        context: Context,
        identity: DevelopmentIdentity,
        mails: Path,
        clock: MovableClock | None = None,
        workers: Sequence[Worker] = (),
    ) -> None:
        self.environment = environment
        self.client = environment.client
        self.database = database
        self.relay, self.post = relays
        self.identity = identity
        self.mails = mails
        self.clock = clock or MovableClock()
        self.workers = workers
        self.app: FastAPI = create_app(Context(**{**context.__dict__, "now": self.clock.now}))

    def client_with(self, token: str | None, base: str = BASE) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://desk.test{base}", headers=headers)

    async def merchant(self, slug: str = "acme") -> Merchant:
        """A new merchant with a team of two agents, a senior and a lead, and the demo's categories."""
        merchant_id = next(_merchants)
        people = (("ana", Role.AGENT), ("leo", Role.AGENT), ("sina", Role.SENIOR), ("lars", Role.LEAD))
        world = World(
            merchant_id,
            f"{slug}-{merchant_id}",
            slug.title(),
            tuple(Person(f"{name}-{merchant_id}", name.title(), role) for name, role in people),
        )
        await write_world(self.database, world)
        async with self.database.reading(merchant_id) as session:
            agents = {agent.name.lower(): agent.id for agent in (await session.execute(sa.select(Agent))).scalars()}
        return Merchant(self, merchant_id, agents)

    async def until(self, look: Callable[[], Awaitable[_T]], is_so: Callable[[_T], bool], seconds: float = 20) -> _T:
        """Look until it is so, and return what was seen. Ever less often: each look takes time from what is waited for."""
        deadline, pause = asyncio.get_running_loop().time() + seconds, 0.02
        while not is_so(seen := await look()):
            assert all(worker.is_running for worker in self.workers), "a worker has ended"
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"never so; last seen: {seen}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.2)
        return seen

    async def pass_time(self, ticket_id: str, amount: timedelta) -> None:
        """Move the edge's clock and the ticket's workflow."""
        self.clock.ahead += amount
        await self.environment.fast_forward(self.client.get_workflow_handle(f"ticket-{ticket_id}"), amount)

    async def history(self, workflow_id: str) -> list[str]:
        """The names of a workflow's events; none before the relay has started it."""
        events = self.client.get_workflow_handle(workflow_id).fetch_history_events()
        try:
            return [str(event.WhichOneof("attributes")).removesuffix("_event_attributes") async for event in events]
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return []

    async def relay_once(self) -> None:
        """For a desk on which no relay runs: send what waits now, facts and deliveries."""
        await asyncio.gather(self.relay.relay_once(), self.post.relay_once())

    def emails(self) -> list[mail.CaughtMail]:
        """Every e-mail that was caught, newest first."""
        return mail.received(self.mails, limit=100_000)

    async def delivery_of(self, merchant: Merchant, notification_id: str) -> str:
        """The id of the workflow that last tried to deliver a notification."""
        attempts = sa.select(col(DeliveryAttempt.workflow_id)).where(col(DeliveryAttempt.notification_id) == int(notification_id))
        async with self.database.reading(merchant.id) as session:
            return (await session.execute(attempts.order_by(col(DeliveryAttempt.id).desc()).limit(1))).scalar_one()

    def survey_token(self, merchant_id: int, survey_id: str) -> str:
        return sign(SIGNING_KEYS, "survey", [merchant_id, int(survey_id)])


@asynccontextmanager
async def working_desk(
    environment: WorkflowEnvironment,
    urls: tuple[str, str],
    identity: DevelopmentIdentity,
    jwks_url: str,
    smtp_port: int,
    mails: Path,
) -> AsyncIterator[Desk]:
    """The API's parts and a worker, running until the end of the block."""
    app_url, relay_url = urls
    clock, database = MovableClock(), Database(app_url, pool_size=10, node=NODE)
    relays = relays_of(relay_url, environment.client)
    keys = KeySet(jwks_url)
    server = SmtpServer(host="127.0.0.1", port=smtp_port, security=MailSecurity.NONE, username=None, password=None, timeout=5)
    across = MaintenanceActivities(database, relay_url)
    links: Any = {"sender": "helpdesk@desk.test", "public_url": "http://desk.test", "signing_keys": SIGNING_KEYS}
    deliveries = DeliveryActivities(database, server, **links, hourly_limit=UNLIMITED)
    context = context_of(database, keys, relays[0])
    relaying = [asyncio.create_task(relay.run()) for relay in relays]
    jobs = JobActivities(database, relays[0], clock.now)
    activities = Activities(TicketActivities(database, relays[0]), deliveries, across, jobs)
    workers = workers_of(environment.client, WATCHED, activities)
    try:
        async with AsyncExitStack() as working:
            for worker in workers:
                await working.enter_async_context(worker)
            yield Desk(environment, database, relays, context, identity, mails, clock, workers)
    finally:
        for task in relaying:
            task.cancel()
        await asyncio.gather(*relaying, return_exceptions=True)
        await across.aclose()
        await deliveries.aclose()
        await keys.aclose()
        await database.aclose()


def relays_of(url: str, client: Client) -> tuple[Relay, Relay]:
    """For facts and for deliveries."""
    dispatcher = Dispatcher(client, retry_seconds=0.05, public_url="http://desk.test")
    return Relay(url, dispatcher, FACTS), Relay(url, dispatcher, DELIVERIES, pause=0.5)


def context_of(database: Database, keys: KeySet, relay: Relay) -> Context:
    """What the API's process is made of, with the test's own parts."""
    return Context(
        database=database,
        keys=keys,
        verifier=TokenVerifier(keys, "https://identity.test", "helpdesk"),
        trigger_relay=relay.trigger,
        temporal_answers=_always,
        now=lambda: datetime.now(UTC),
        signing_keys=SIGNING_KEYS,
        rate_limits=RateLimits(BoundedMemory(), Rate(1_000_000, 1_000_000), 1),
        workflows_url="http://temporal.test/namespaces/default/workflows",
    )


async def _always() -> bool:
    return True
