"""RUN_MODE=local signs a token for anyone who asks: it must never start where real people's tickets are."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from deploy.local.layout import CannotStartError
from models.platform.settings import PREFIX

_ADDRESSES = (
    "DATABASE_URL",
    "DATABASE_RELAY_URL",
    "DATABASE_OWNER_URL",
    "TEMPORAL_ADDRESS",
    "IDENTITY_JWKS_URL",
    "PUBLIC_URL",
    "SMTP_HOST",
)
_FORBIDDEN = {"KUBERNETES_SERVICE_HOST", f"{PREFIX}TEMPORAL_API_KEY", f"{PREFIX}SMTP_PASSWORD"}


def refuse_production(environment: Mapping[str, str]) -> None:
    """Raise CannotStartError that names (by variable, never by value) everything that looks like production."""
    distant = [f"{PREFIX}{name} points to another host" for name in _ADDRESSES if not _is_here(environment.get(PREFIX + name, ""))]
    present = [f"{name} is set" for name in sorted(environment) if environment[name] and (name in _FORBIDDEN or _is_secret_file(name))]
    if signs := distant + present:
        raise CannotStartError("RUN_MODE=local refuses to start, this looks like production:\n" + "\n".join(f"  {sign}" for sign in signs))


def _is_secret_file(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith("_FILE")


def _is_here(address: str) -> bool:
    """Say whether an address (a URL, or ``host:port``, or a host) is this machine's own; an address we cannot read is not."""
    if not address:
        return True
    try:
        url = urlsplit(address if "://" in address else f"//{address}")
        hosts = ",".join([url.hostname or "localhost", *parse_qs(url.query).get("host", [])]).split(",")
        # A folder of sockets is here by nature.
        return all(host == "localhost" or host.startswith("/") or ip_address(host).is_loopback for host in hosts)
    except ValueError:
        return False
