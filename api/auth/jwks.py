"""The identity service's public keys, kept so that a request with a known key never waits for that service.

Rules (why each is there):

- a set is fresh for 5 to 10 minutes, drawn anew each time, so that many processes do not ask in step; after that the next use starts
  a refresh in the background and goes on with what is known;
- while the endpoint fails, the old set serves on, for at most a day after its last good answer: an outage is not a logout, and
  a withdrawn key does not live for ever;
- at most one fetch is in flight, and everyone who needs it waits for the same one;
- a key id that is not known causes at most one fetch in 30 s, counted on attempts, so that a flood of invented ids cannot become
  a flood on the identity service. As long as no key was ever seen the pause is shorter (1 s, doubling up to 30 s): a service that
  starts a moment before its identity service should not refuse everybody for half a minute;
- only EC P-256 signing keys (RFC 7518, section 6.2) count, from at most 64 KiB, uncompressed, without following a redirect.
"""

import asyncio
import json
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import PyJWTError

from models.errors import Unavailable
from models.platform.metrics import JWKS_FETCHES

FRESH_SECONDS: Final = (300.0, 600.0)
STALE_LIMIT_SECONDS: Final = 86_400.0
ATTEMPT_SECONDS: Final = 30.0
FIRST_ATTEMPT_SECONDS: Final = 1.0
FETCH_SECONDS: Final = 5.0
MAX_BYTES: Final = 64 * 1024
MAX_KID: Final = 200

_log = structlog.get_logger(__name__)


class UnknownKey(Exception):
    """The keys are known, and this one is not among them."""


class KeysUnavailable(Unavailable):
    """No key is known, so no token can be judged; worth trying again after ``retry_after_seconds``."""

    code = "identity_unavailable"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("The identity service can't be reached.", headers={"Retry-After": str(retry_after_seconds)})
        self.retry_after_seconds = retry_after_seconds


class _Unusable(Exception):
    """The endpoint answered, and the answer is no key set."""


@dataclass(frozen=True, slots=True)
class _Known:
    keys: Mapping[str, EllipticCurvePublicKey]
    fetched_at: float
    refresh_at: float


_NOTHING: Final = _Known({}, float("-inf"), float("-inf"))


class KeySet:
    """The keys of one JWKS endpoint (RFC 7517); belongs to one event loop.

    ``clock`` is monotonic, in seconds; ``fetch_seconds`` bounds a whole fetch, from connecting to the last byte.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        fetch_seconds: float = FETCH_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        self._fetch_seconds = fetch_seconds
        self._client = httpx.AsyncClient(
            timeout=fetch_seconds,
            follow_redirects=False,
            trust_env=False,
            verify=tls or True,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )
        self._known = _NOTHING
        self._attempted_at = float("-inf")
        self._failures = 0
        self._fetching: asyncio.Task[None] | None = None

    @property
    def has_keys(self) -> bool:
        """Whether tokens can be judged now; what readiness asks. A probe that finds ``False`` should call :meth:`warm`."""
        return bool(self._current())

    @property
    def age_seconds(self) -> float:
        """Since the last good answer; infinite when no key is known."""
        return self._clock() - self._known.fetched_at if self._current() else float("inf")

    def known(self, kid: str) -> EllipticCurvePublicKey | None:
        """Return the key named ``kid`` if it is here, and see in the background to it that it stays fresh.

        The object stays the same for as long as the key does, so that what was verified with it can die with it.
        """
        found = self._current().get(kid)
        if found is not None and self._clock() >= self._known.refresh_at:
            self._start_if_allowed()
        return found

    async def key(self, kid: str) -> EllipticCurvePublicKey:
        """Return the key named ``kid``, at once when it is known.

        Raises ``UnknownKey`` when others are known, and ``KeysUnavailable`` when none is.
        """
        found = self.known(kid)
        if found is None:
            await self._fetch_if_allowed()
            return self._key_or_refuse(kid)
        return found

    async def warm(self) -> None:
        """Fetch once when no fresh set is there and an attempt is allowed. Never raises; ``has_keys`` tells how it went."""
        self._current()
        if self._clock() >= self._known.refresh_at:
            await self._fetch_if_allowed()

    async def aclose(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._client.aclose()

    def _current(self) -> Mapping[str, EllipticCurvePublicKey]:
        if self._known.keys and self._clock() - self._known.fetched_at > STALE_LIMIT_SECONDS:
            self._known = _NOTHING
        return self._known.keys

    def _key_or_refuse(self, kid: str) -> EllipticCurvePublicKey:
        keys = self._current()
        if not keys:
            raise KeysUnavailable(max(1, round(self._attempt_allowed_at() - self._clock())))
        if kid not in keys:
            raise UnknownKey
        return keys[kid]

    async def _fetch_if_allowed(self) -> None:
        self._start_if_allowed()
        if self._fetching is not None:
            # Waited for and not awaited: others wait for it too, and one caller that goes away must not take it along.
            await asyncio.wait([self._fetching])

    def _start_if_allowed(self) -> None:
        now = self._clock()
        if self._fetching is not None or now < self._attempt_allowed_at():
            return
        self._attempted_at = now
        self._fetching = asyncio.create_task(self._fetch(), name="jwks")
        self._fetching.add_done_callback(self._landed)

    def _landed(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    def _attempt_allowed_at(self) -> float:
        if self._known.keys:
            return self._attempted_at + ATTEMPT_SECONDS
        return self._attempted_at + min(ATTEMPT_SECONDS, FIRST_ATTEMPT_SECONDS * 2.0 ** min(self._failures - 1, 5))

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._fetch_seconds):
                keys = _parse(await self._read())
        except (httpx.HTTPError, _Unusable, TimeoutError, OSError) as error:
            self._failures += 1
            JWKS_FETCHES.labels("failed").inc()
            _log.warning("jwks.fetch_failed", reason=str(error) or type(error).__name__, failures=self._failures, has_keys=self.has_keys)
            return
        self._failures = 0
        JWKS_FETCHES.labels("fetched").inc()
        now = self._clock()
        same = {kid: old for kid, old in self._known.keys.items() if kid in keys and old.public_numbers() == keys[kid].public_numbers()}
        self._known = _Known(keys | same, now, now + random.uniform(*FRESH_SECONDS))  # noqa: S311 - spreads load, guards nothing

    async def _read(self) -> bytes:
        async with self._client.stream("GET", self._url) as response:
            if response.status_code != httpx.codes.OK:
                raise _Unusable(f"status {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _Unusable("a compressed answer")
            read = bytearray()
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > MAX_BYTES:
                    raise _Unusable(f"more than {MAX_BYTES} bytes")
            return bytes(read)


def _parse(body: bytes) -> dict[str, EllipticCurvePublicKey]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _Unusable("no JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _Unusable("no list of keys")
    found: dict[str, EllipticCurvePublicKey] = {}
    for entry in entries:
        key = _signing_key(entry) if isinstance(entry, dict) else None
        if key is not None:
            found.setdefault(entry["kid"], key)
    if not found:
        raise _Unusable("no EC P-256 signing key")
    return found


def _signing_key(entry: Mapping[str, Any]) -> EllipticCurvePublicKey | None:
    """Build the key of one JWK, or nothing for what is not ours: other kinds of keys in a set are no error (RFC 7517, section 5)."""
    kid = entry.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID or not _is_for_es256(entry):
        return None
    try:
        key = ECAlgorithm.from_jwk({name: entry.get(name) for name in ("kty", "crv", "x", "y")})
    except (PyJWTError, ValueError, TypeError):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None


def _is_for_es256(entry: Mapping[str, Any]) -> bool:
    """Tell whether a JWK is a public P-256 key for signatures. One that carries its private part is burnt: anybody can sign with it."""
    return (
        entry.get("kty") == "EC"
        and entry.get("crv") == "P-256"
        and "d" not in entry
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "ES256") == "ES256"
        and "verify" in (entry.get("key_ops") or ["verify"])
    )
