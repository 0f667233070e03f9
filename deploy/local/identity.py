"""The development identity service: signs any token it is asked for, with a key that only this machine's ``var`` knows."""

import os
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm
from pydantic import Field

from models.people.roles import Role
from models.value import Value

HOUR = 3600
_Id = Annotated[str, Field(min_length=1, max_length=64)]


class Wanted(Value):
    """What a token shall say: the body of ``POST /dev/identity/token``. ``expires_in`` is seconds; negative makes an expired token.

    ``email_verified`` is said with an address only; null leaves the claim out.
    """

    sub: Annotated[str, Field(min_length=1, max_length=255)]
    name: str | None = None
    email: str | None = None
    email_verified: bool | None = True
    merchant_ids: tuple[_Id, ...]
    roles: tuple[Role, ...]
    organizer_ids: tuple[_Id, ...] | None = None
    expires_in: int = Field(default=HOUR, ge=-HOUR, le=30 * 24 * HOUR)


class DevelopmentIdentity:
    """One issuer with one P-256 key, kept in ``key_file``."""

    def __init__(self, key_file: Path, *, issuer: str, audience: str) -> None:
        self._key = _key(key_file)
        self._public = _public_jwk(self._key)
        self._issuer, self._audience = issuer, audience

    def jwks(self) -> dict[str, Any]:
        """Return the key set (RFC 7517)."""
        return {"keys": [self._public]}

    def token(self, wanted: Wanted) -> str:
        """Return a signed access token with the claims of API.md."""
        now = int(time.time())
        standing = {"iss": self._issuer, "aud": self._audience, "iat": now, "exp": now + wanted.expires_in}
        claims = wanted.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"expires_in", "email_verified"})
        if wanted.email is not None and wanted.email_verified is not None:
            claims["email_verified"] = wanted.email_verified  # the one claim that has its name from OpenID Connect
        return jwt.encode(standing | claims, self._key, algorithm="ES256", headers={"kid": self._public["kid"], "typ": "at+jwt"})


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    if not file.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        keep_secret(file, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file} holds another kind of key; remove it")
    return key


def keep_secret(file: Path, content: bytes) -> None:
    """Write a new file that only its owner may read; two writers at once leave one whole file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
        sink.write(content)
    half.rename(file)


def _public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    thumbprint = sha256(f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'.encode()).digest()  # RFC 7638
    return jwk | {"use": "sig", "alg": "ES256", "kid": urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}
