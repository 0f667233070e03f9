"""What the examples share: the local system that `make up` starts, and the people in it.

Plain HTTP, nothing else. ``HELPDESK_URL`` names the system if it does not answer on port 3000.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

URL = os.environ.get("HELPDESK_URL", "http://127.0.0.1:3000").rstrip("/")
BASE = "/v1/api/helpdesk"
SECONDS_BETWEEN_LOOKS = 0.2

_T = TypeVar("_T")


class ExampleError(Exception):
    """The example cannot go on; the text says why."""


class Person:
    """A person with a token: what they do goes to the REST API."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **query: str | int) -> Any:
        return _json(self._http.get(BASE + path, params=query, headers=self._headers))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return _json(self._http.post(BASE + path, json=body, headers=self._headers))


class Helpdesk:
    """The local system, with the helpers beside the REST API that only ``RUN_MODE=local`` has."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        world = http.get("/dev/world")
        if "json" not in world.headers.get("content-type", "") or not world.is_success:
            raise ExampleError(f"what answers at {URL} was not started by `make up`: it has no /dev/world")
        self._demo = next(merchant for merchant in world.json()["merchants"] if merchant["slug"] == "demo")

    def sign_in(self, sub: str, role: str, **claims: Any) -> Person:
        """Get a token of the demo merchant from the development identity service."""
        wanted = {"sub": sub, "roles": [role], "merchantIds": [self._demo["id"]], **claims}
        return Person(self._http, _json(self._http.post("/dev/identity/token", json=wanted))["accessToken"])

    def rita(self, **claims: Any) -> Person:
        """Sign in as Rita, a reporter."""
        return self.sign_in("reporter-rita", "reporter", name="Rita Reporter", email="rita@customer.example", **claims)

    def lars(self) -> Person:
        """Sign in as Lars, the lead of the support team."""
        return self.sign_in("demo-lars", "lead")

    def adam(self) -> Person:
        """Sign in as Adam, an admin of the merchant."""
        return self.sign_in("demo-adam", "admin", name="Adam Admin")

    def emails(self, ticket_id: str) -> list[dict[str, Any]]:
        """Return the e-mails about one ticket, oldest first: all of them answer the ticket's own Message-ID."""
        caught = _json(self._http.get("/dev/mail"))
        return [email for email in reversed(caught) if (email["inReplyTo"] or "").startswith(f"<ticket-{ticket_id}@")]

    def post_link(self, link: str, body: dict[str, Any]) -> Any:
        """Answer a link out of an e-mail: it is signed, so it needs no token."""
        return _json(self._http.post(link, json=body))


def wait_for(what: str, look: Callable[[], _T | None], seconds: float = 60) -> _T:
    """Look again and again until there is something to return."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise ExampleError(f"waited {seconds:.0f} s for {what}; the logs of `make up` may say why")
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return found


def say(text: str = "") -> None:
    print(text, flush=True)  # at once, also into a pipe


def run(example: Callable[[Helpdesk], None]) -> None:
    """Run an example. What goes wrong is one line on stderr and exit code 1."""
    try:
        with httpx.Client(base_url=URL, timeout=10, trust_env=False) as http:  # a proxy has no business on this machine
            example(Helpdesk(http))
    except httpx.TransportError:
        sys.exit(f"Nothing answers at {URL}. Run `make up` in another terminal first.")
    except ExampleError as error:
        sys.exit(f"Stopped: {error}.")
    except KeyboardInterrupt:
        sys.exit(130)


def _json(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    request = response.request
    raise ExampleError(f"{request.method} {request.url.path} is {response.status_code}: {response.text}")
