"""Signed links: what they name can't be guessed, and can't be exchanged for another."""

import hashlib

from itsdangerous import BadSignature, URLSafeSerializer, base64_decode, base64_encode


def sign(key: str, purpose: str, content: list[object]) -> str:
    return str(_serializer(key, purpose).dumps(content))


def read(key: str, purpose: str, token: str) -> list[object] | None:
    """What was signed for the same ``purpose``, or None. A token is good in one spelling only: the one that was given out."""
    try:
        content = _serializer(key, purpose).loads(token)
        _, _, signature = token.rpartition(".")
        if base64_encode(base64_decode(signature)).decode() != signature:  # several letters at its end mean the same bytes
            return None
    except (BadSignature, UnicodeError):
        return None
    return content if isinstance(content, list) else None


def _serializer(key: str, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"})
