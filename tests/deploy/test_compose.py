"""deploy/compose.yaml: what it promises, and its parts at work without containers."""

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from deploy.app_info import APP_INFO
from deploy.local.temporal import free_port
from models.platform.settings import PREFIX, Settings
from tests.deploy.promtool import promtool
from tests.support.compose import COMPOSE, FILE, SERVICES, traefik
from tests.support.isolated import ROOT
from tests.support.local_system import environment_of, running

BIN = Path(sys.executable).parent


def test_the_file_keeps_to_the_schema_of_the_compose_specification() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_proxy_is_published_at_the_services_port_and_leads_to_the_apis() -> None:
    labels = SERVICES["api"]["labels"]
    assert SERVICES["traefik"]["ports"] == [f"{APP_INFO.port}:{APP_INFO.port}"]
    assert f"--entrypoints.helpdesk.address=:{APP_INFO.port}" in SERVICES["traefik"]["command"]
    assert labels["traefik.http.routers.helpdesk.rule"] == "PathPrefix(`/v1/api/helpdesk`)"
    assert labels["traefik.http.services.helpdesk.loadbalancer.server.port"] == SERVICES["api"]["environment"]["APP_ENV_HTTP_PORT"]


def test_two_apis_and_two_workers_start_after_setup_has_ended_well() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["deploy"] == {"replicas": 2}
        assert SERVICES[name]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}


def test_whatever_waits_for_a_healthy_part_finds_out_whether_it_is() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] != "service_healthy" or "healthcheck" in SERVICES[name] or name == "api", "the image has the API's"


def test_every_file_and_folder_of_ours_that_is_mounted_is_there() -> None:
    mounted = [each.partition(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])]
    ours = {each for each in mounted if each.startswith("./")}
    assert not {each for each in ours if not (FILE.parent / each).exists()}
    assert {each for each in mounted if not each.startswith((".", "/"))} == set(COMPOSE["volumes"])


def test_prometheus_scrapes_the_jobs_that_the_alerts_go_by_at_the_ports_where_they_are() -> None:
    config = yaml.safe_load((FILE.parent / "compose" / "prometheus.yml").read_text())
    ports = {each["job_name"]: each["dns_sd_configs"][0]["port"] for each in config["scrape_configs"]}
    fields = {"helpdesk-api": "http_metrics_port", "helpdesk-worker": "worker_metrics_port", "helpdesk-worker-sdk": "temporal_metrics_port"}
    assert ports == {job: Settings.model_fields[field].default for job, field in fields.items()}
    checked = subprocess.run(
        [promtool(), "check", "config", "--syntax-only", FILE.parent / "compose" / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_each_setting_that_it_gives_is_one_of_the_example() -> None:
    known = set(re.findall(r"^(\w+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    for name in ("setup", "api", "worker"):
        given = {each.removesuffix("_FILE") for each in SERVICES[name]["environment"]}
        assert given <= known
        assert PREFIX + "HTTP_PORT" in given


def test_no_secret_stands_in_the_file_and_each_is_made(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    make = ["sh", str(ROOT / "deploy" / "compose" / "make-secrets.sh"), str(secrets)]
    subprocess.run(make, check=True)
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    assert set(made) == {Path(each["file"]).name for each in COMPOSE["secrets"].values()}
    subprocess.run(make, check=True)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == made, "running it again changes nothing"
    assert (tmp_path / ".env").read_text() == f"TEMPORAL_PASSWORD={made['temporal_password']}\n"
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|PWD|DATABASE|SIGNING_KEYS", name):
                assert re.match(r"$|/run/secrets/|\$\{TEMPORAL_PASSWORD:\?", value), name


@pytest.mark.timeout(240)
def test_a_ticket_lives_through_the_real_proxy(tmp_path: Path) -> None:
    environment = environment_of(tmp_path)
    api, port = f"http://127.0.0.1:{environment['APP_ENV_HTTP_PORT']}", free_port()
    with running(environment, seconds=60), traefik(tmp_path, port, [api]) as proxy:
        wanted = {"sub": "demo-lars", "merchantIds": ["1001"], "roles": ["lead"]}
        token = httpx.post(f"{api}/dev/identity/token", json=wanted, timeout=10).json()["accessToken"]
        proxy.headers["Authorization"] = f"Bearer {token}"
        body = {"subject": "Till", "description": "It does not open.", "category": "demo-fast"}
        opened = proxy.post("/v1/api/helpdesk/tickets", json=body)
        assert opened.status_code == 201, opened.text
        ticket = f"/v1/api/helpdesk/tickets/{opened.json()['id']}"
        _until_assigned(proxy, ticket)
        for step in ("resolve", "close"):
            done = proxy.post(f"{ticket}/{step}", json={})
            assert done.status_code == 200, done.text
        assert proxy.get(ticket).json()["status"] == "closed"
        assert proxy.get("/healthz").status_code == 404, "only the API's paths are routed"


def _until_assigned(proxy: httpx.Client, ticket: str) -> None:
    deadline = time.monotonic() + 60
    while proxy.get(ticket).json()["assigneeId"] is None:
        assert time.monotonic() < deadline, "no worker has assigned it"
        time.sleep(0.1)


def test_the_image_is_linted_and_says_which_service_it_is() -> None:
    dockerfile = ROOT / "deploy" / "Dockerfile"
    linted = subprocess.run([str(BIN / "hadolint"), str(dockerfile)], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    bases = re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.13-slim@sha256:[0-9a-f]{64}", bases[0])
    assert f'com.helpdesk.service="{APP_INFO.code}" com.helpdesk.port="{APP_INFO.port}"' in dockerfile.read_text()
