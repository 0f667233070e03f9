"""The compose file as values, and its proxy as a process of this machine."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.local.processes import wait_until
from tests.support.isolated import ROOT

FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PATH = "/v1/api/helpdesk"
TRAEFIK = Path(sys.executable).parent / "traefik"


def routes(labels: dict[str, str], servers: list[str]) -> dict[str, Any]:
    """What Traefik makes of a service's labels, for its file provider: ``servers`` stand where a container's address would."""
    tree: dict[str, Any] = {}
    for name, value in labels.items():
        *folders, last = name.split(".")[1:]
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[last] = value
    balancer = tree["http"]["services"]["helpdesk"]["loadbalancer"]
    del balancer["server"]
    balancer["servers"] = [{"url": url} for url in servers]
    router = tree["http"]["routers"]["helpdesk"]
    router["entrypoints"] = [router["entrypoints"]]
    router["service"] = "helpdesk"
    return {"http": tree["http"]}


@contextmanager
def traefik(folder: Path, port: int, servers: list[str]) -> Iterator[httpx.Client]:
    """The proxy with the command of the compose file, on ``port`` instead of the published one; a client of it."""
    dynamic = folder / "routes.yaml"
    dynamic.write_text(yaml.safe_dump(routes(SERVICES["api"]["labels"], servers)))
    options = [each.replace(":31130", f"127.0.0.1:{port}") for each in SERVICES["traefik"]["command"] if ".docker." not in each]
    command = [str(TRAEFIK), *options, f"--providers.file.filename={dynamic}"]
    log = folder / "traefik.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _leads_to_an_api(f"http://127.0.0.1:{port}{PATH}"), process, log=log, seconds=60)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _leads_to_an_api(url: str) -> bool:
    """An API has answered. The proxy's own ping does so before it has read its routes: until then every path is a 404."""
    try:
        return "X-Request-Id" in httpx.get(url, timeout=2).headers
    except httpx.TransportError:
        return False
