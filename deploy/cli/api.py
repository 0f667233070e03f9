"""The REST API, as a command speaks to it: an operator's token, one merchant at a time, errors by their class."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import typer

from deploy.cli.output import note, show
from deploy.cli.verb import Choices, CommandError, ExitCode

if TYPE_CHECKING:
    import httpx

AT_MOST = 1000
"""Rows of a list."""
_PAGE = 100
_SECONDS = 30.0
_CODES = {
    400: ExitCode.REFUSED,
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.REFUSED,
    412: ExitCode.REFUSED,
    422: ExitCode.REFUSED,
    428: ExitCode.REFUSED,
    429: ExitCode.AWAY,
    503: ExitCode.AWAY,
}
_ADVICE = {
    "merchant_required": "name one with --merchant",
    "unauthenticated": "give one with --token or HELPDESK_TOKEN",
}


class Api:
    """Raises CommandError wherever the API refuses, or does not answer."""

    def __init__(self, http: "httpx.Client", choices: Choices) -> None:
        self._http = http
        self._url, self._token = choices.url, choices.token
        self._merchant_id: str | None = None
        if choices.merchant is not None:
            self.act_for(choices.merchant)

    def act_for(self, merchant: str) -> str:
        """From now on for this merchant, a slug or an id; return its id."""
        self._merchant_id = merchant if is_id(merchant) else self._id_of(merchant)
        return self._merchant_id

    def get(self, path: str, **query: Any) -> Any:
        return self._send("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: Any = None) -> Any:
        return self._send("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Whatever version there is."""
        return self._send("PATCH", path, json=body, headers={"If-Match": "*"})

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def rows(self, path: str, limit: int = AT_MOST, **query: Any) -> list[dict[str, Any]]:
        """A list, page after page, up to ``limit``; whether there is more is told to people."""
        found: list[dict[str, Any]] = []
        after: str | None = None
        while len(found) < limit:
            page = self.get(path, limit=min(_PAGE, limit - len(found)), after=after, **query)
            found += page["data"]
            after = page["page"]["next"]
            if after is None:
                return found
        note(f"these are the first {limit}; there are more")
        return found

    def readiness(self) -> Any:
        """Of this system: also one that is not ready says what is the matter."""
        answer = self._answer("GET", "/readyz")
        return _json(answer) if answer.status_code in (200, 503) else _content(answer)

    def local_token(self, wanted: dict[str, Any]) -> str:
        """From the development identity service, which only the local system has."""
        answer = self._answer("POST", "/dev/identity/token", json=wanted)
        if answer.status_code in (404, 405):
            says = (
                "This is no local system: it gives out no tokens. Ask its identity service for one; give it with --token or HELPDESK_TOKEN."
            )
            raise CommandError(says, ExitCode.NOT_ALLOWED)
        return str(_content(answer)["accessToken"])

    def _signed(self) -> dict[str, str]:
        """The headers that say who asks, and for which merchant."""
        self._token = self._token or self._token_by_itself()
        return {"Authorization": f"Bearer {self._token}"} | ({"X-Merchant-Id": self._merchant_id} if self._merchant_id else {})

    def _token_by_itself(self) -> str:
        if not _is_here(self._url):
            raise CommandError("There is no token: give one with --token or HELPDESK_TOKEN.", ExitCode.NOT_ALLOWED)
        return self.local_token({"sub": "helpdesk-command-line", "name": "Command line", "merchantIds": ["*"], "roles": ["operator"]})

    def _id_of(self, slug: str) -> str:
        from models.platform.addresses import BASE

        answer = self._answer("GET", f"{BASE}/merchants", params={"slug": slug}, headers=self._signed())
        if answer.status_code == 403:
            says = f"Only a token for all merchants finds one by its slug: name {slug} by its id, or none with a token of one merchant."
            raise CommandError(says, ExitCode.NOT_ALLOWED)
        found = _content(answer)["data"]
        if not found:
            raise CommandError(f"There is no merchant {slug}: `helpdesk merchants list` has all of them.", ExitCode.NOT_FOUND)
        return str(found[0]["id"])

    def _send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **sent: Any) -> Any:
        from models.platform.addresses import BASE

        return _content(self._answer(method, BASE + path, headers=self._signed() | (headers or {}), **sent))

    def _answer(self, method: str, path: str, **sent: Any) -> "httpx.Response":
        import httpx

        try:
            answer = self._http.request(method, path, **sent)
        except (UnicodeError, httpx.LocalProtocolError):
            raise CommandError("The token, or the merchant, has characters that no header takes: look at it.", ExitCode.WRONG) from None
        except httpx.TimeoutException:
            raise CommandError(f"{self._http.base_url} took longer than {_SECONDS:.0f} s to answer.", ExitCode.AWAY) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise CommandError(f"{self._url} is no address: write one like http://127.0.0.1:3000.", ExitCode.WRONG) from None
        except httpx.TransportError as error:
            says = f"Nothing answers at {self._http.base_url} ({type(error).__name__}): is it running? Another address by --url."
            raise CommandError(says, ExitCode.AWAY) from None
        if "x-request-id" not in answer.headers:  # every response of ours has one
            raise CommandError(*_stranger(answer))
        return answer


@contextmanager
def api_of(ctx: typer.Context) -> Iterator[Api]:
    """The API that the command was told."""
    import httpx

    choices: Choices = ctx.obj
    try:
        http = httpx.Client(base_url=choices.url, timeout=_SECONDS)
    except httpx.InvalidURL as error:
        raise CommandError(f"{choices.url} is no address: {error}.", ExitCode.WRONG) from None
    with http:
        yield Api(http, choices)


def retire(ctx: typer.Context, what: str, path: Callable[[Api], str]) -> None:
    """Retire what is at ``path``; ``what`` is what a person called it."""
    with api_of(ctx) as api:
        api.delete(path(api))
    show(ctx, {"retired": what}, f"{what} is retired")


def part(value: str) -> str:
    """One part of a path, whatever it holds."""
    return quote(value, safe="")


def is_id(value: str) -> bool:
    """Whether this is an id, and no name."""
    return value.isascii() and value.isdigit()


def _content(answer: "httpx.Response") -> Any:
    if answer.is_success:
        return _json(answer) if answer.content else None
    raise CommandError(*_problem(answer))


def _json(answer: "httpx.Response") -> Any:
    try:
        return answer.json()
    except ValueError:
        raise CommandError(*_stranger(answer)) from None


def _problem(answer: "httpx.Response") -> tuple[str, ExitCode]:
    """In one line, and by its class (RFC 9457)."""
    if "application/problem+json" not in answer.headers.get("content-type", ""):
        return _stranger(answer)
    said = _json(answer)
    wrong = "; ".join(f"{each['pointer']}: {each['detail']}" for each in said.get("errors", []))
    advice = _ADVICE.get(said["code"])
    log = f"(in its log: {said['requestId']})" if answer.is_server_error else ""
    parts = [wrong or said["detail"], f"({advice})" if advice else "", log, f"[{said['code']}]"]
    return " ".join(each for each in parts if each).replace("\n", " "), _CODES.get(answer.status_code, ExitCode.FAILED)


def _stranger(answer: "httpx.Response") -> tuple[str, ExitCode]:
    """What is between us and the API says this, or something else altogether."""
    says = f"{answer.request.url} answers {answer.status_code}, and not as a helpdesk does: is --url right, and does the helpdesk run?"
    return says, ExitCode.AWAY if answer.is_server_error else ExitCode.WRONG


def _is_here(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
