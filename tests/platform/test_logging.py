"""Log lines, as a person and `sort` read them."""

import json
import subprocess
import sys

from tests.support.isolated import ROOT

SCRIPT = """
import logging, structlog
from models.platform.logging import configure
configure("INFO")
structlog.get_logger().info("request", status=201, ticket_id=385102992598155265, merchant_id=1001, agent_id=None, ms=8.5)
structlog.get_logger().warning("reconcile.not_healed", id=385102992598155265)
logging.getLogger("temporalio").error("a deadline stays due", extra={"ticket_id": 385102992598155265})
"""


def test_a_line_says_first_when_how_bad_and_what_and_ids_are_strings() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    request, reconcile, defect = (json.loads(line) for line in said.splitlines())
    assert all(list(line)[:3] == ["timestamp", "level", "event"] for line in (request, reconcile, defect))
    assert said.splitlines() == sorted(said.splitlines())
    assert (request["ticket_id"], request["merchant_id"], request["agent_id"]) == ("385102992598155265", "1001", None)
    assert (request["status"], request["ms"]) == (201, 8.5)
    assert (reconcile["id"], defect["ticket_id"]) == ("385102992598155265", "385102992598155265")
