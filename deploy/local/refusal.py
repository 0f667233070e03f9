"""RUN_MODE=local signs a token for anybody who asks: it must never start where real people's tickets are."""

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
_SECRETS = ("TEMPORAL_API_KEY", "SMTP_PASSWORD")


def refuse_production(environment: Mapping[str, str]) -> None:
    """Raise CannotStartError that names (by variable, never by value) everything that looks like production."""
    signs = list(_signs(environment))
    if signs:
        raise CannotStartError("RUN_MODE=local refuses to start, this looks like production:\n" + "\n".join(f"  {sign}" for sign in signs))


def _signs(environment: Mapping[str, str]) -> list[str]:
    distant = [name for name in _ADDRESSES if not _is_here(environment.get(PREFIX + name, ""))]
    secret = [name for name in environment if name.startswith(PREFIX) and name.endswith("_FILE")]
    return [
        *(["KUBERNETES_SERVICE_HOST is set"] if "KUBERNETES_SERVICE_HOST" in environment else []),
        *(f"{PREFIX}{name} points to another host" for name in distant),
        *(f"{name} is set" for name in sorted([*secret, *(PREFIX + name for name in _SECRETS if environment.get(PREFIX + name))])),
    ]


def _is_here(address: str) -> bool:
    """Say whether an address (a URL, or ``host:port``, or a host) is this machine's own; an address we cannot read is not."""
    if not address:
        return True
    try:
        url = urlsplit(address if "://" in address else f"//{address}")
        hosts = [url.hostname or "", *parse_qs(url.query).get("host", [])]
    except ValueError:
        return False
    return all(_is_loopback(host) for each in hosts for host in each.split(","))


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"} or host.startswith("/"):  # a folder of sockets is here by nature
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
