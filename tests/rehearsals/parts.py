"""The parts of a rehearsal: each is a real process (or, for keys and mail, a thread) that can be ended and started again."""

import json
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.local.processes import Server, launch, wait_until
from deploy.local.temporal import answers
from tests.deploy.promtool import promtool
from tests.rehearsals.hurry import hurried
from tests.support.isolated import ROOT


class Process(Server):
    """One of ours, or a tool beside it. ``answers_at`` says that it works."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], answers_at: str, log: Path, **own: str) -> None:
        super().__init__(log)
        self._command, self._environment, self._answers_at, self._own = command, environment, answers_at, own

    def start(self, *, seconds: float = 60, **settings: str) -> None:
        """``settings`` are of this start alone."""
        self._process = launch(self._command, log=self.log, environment={**self._environment, **self._own, **settings}, cwd=ROOT)
        wait_until(lambda: answers(self._answers_at), self._process, log=self.log, seconds=seconds)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)


class Prometheus(Process):
    """Debian's, with the hurried rules; ``targets`` are ports by job, scraped each second."""

    def __init__(self, folder: Path, port: int, targets: Mapping[str, Sequence[int]]) -> None:
        folder.mkdir()
        (folder / "rules.yaml").write_text(hurried((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text()))
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{each}" for each in ports]}]} for job, ports in targets.items()
        ]
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": every, "rule_files": ["rules.yaml"], "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{port}"
        options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder}", f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__([promtool().with_name("prometheus"), *options], {}, f"{self.url}/-/ready", folder / "prometheus.log")

    def firing(self) -> set[str]:
        """The names of the alerts that fire; none while it does not answer."""
        try:
            found = httpx.get(f"{self.url}/api/v1/alerts", timeout=5).json()["data"]["alerts"]
        except httpx.TransportError:
            return set()
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}


class KeyServer:
    """The identity service's key set, over HTTP."""

    def __init__(self, port: int, keys: dict[str, Any]) -> None:
        self.url = f"http://127.0.0.1:{port}/jwks.json"
        self._port, self._body = port, json.dumps(keys).encode()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        body = self._body

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def ours(environment: Mapping[str, str], log: Path, mode: str, port: str, module: str = "deploy", **own: str) -> Process:
    """The API or a worker, whose probes are at ``port``. Each start reads ``environment`` anew; ``own`` goes before it."""
    return Process([sys.executable, "-m", module], environment, f"http://127.0.0.1:{port}/healthz", log, RUN_MODE=mode, **own)
