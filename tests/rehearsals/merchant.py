"""A merchant made by setup, whose people reach the API through the proxy."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx

from deploy.app_info import APP_INFO
from deploy.local.temporal import free_port
from models.people.roles import Role
from tests.rehearsals.parts import Process, ours
from tests.rehearsals.stage import Stage, until
from tests.support.compose import traefik

SLUG = "acme"


class Merchant:
    """The stage on which it is, its id, and the address of the proxy."""

    def __init__(self, stage: Stage, second_api: Process, proxy: str) -> None:
        self.stage, self.second_api, self.proxy = stage, second_api, proxy
        self.id = stage.postgres.psql(f"SELECT id FROM merchant WHERE slug = '{SLUG}'", "helpdesk")

    def person(self, sub: str, *roles: Role) -> httpx.Client:
        return self.stage.client(sub, self.id, *roles, base=self.proxy)

    def opened(self, subject: str) -> dict[str, Any]:
        with self.person("rita", Role.REPORTER) as rita:
            return done(rita.post("/tickets", json={"subject": subject, "description": "It does not open."}))

    def ticket(self, ticket: dict[str, Any]) -> httpx.Response:
        with self.person("lars", Role.LEAD) as lars:
            return lars.get(f"/tickets/{ticket['id']}")


@contextmanager
def behind_the_proxy(stage: Stage) -> Iterator[Merchant]:
    """Traefik at the service's own port before two APIs."""
    own = {name: str(free_port()) for name in ("APP_ENV_HTTP_PORT", "APP_ENV_HTTP_METRICS_PORT")}
    second = ours(stage.environment, stage.folder / "second-api.log", "startup", own["APP_ENV_HTTP_PORT"], **own)
    servers = [f"http://127.0.0.1:{port}" for port in (stage.environment["APP_ENV_HTTP_PORT"], own["APP_ENV_HTTP_PORT"])]
    with ExitStack() as ending:
        ending.callback(second.stop)
        second.start()
        proxy = ending.enter_context(traefik(stage.folder, APP_INFO.port, servers))
        yield Merchant(stage, second, str(proxy.base_url).rstrip("/"))


def until_quiet(stage: Stage) -> None:
    asked = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM notification WHERE status = 'pending')"
    until(lambda: stage.postgres.psql(asked, "helpdesk"), lambda left: left == "0")


def done(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    return dict(response.json())


def say(what: str, said: str) -> None:
    print(f"### {what}\n\n```\n{said.strip()}\n```\n", flush=True)
