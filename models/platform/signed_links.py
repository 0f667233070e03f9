"""Signed links: what they name can't be guessed, and can't be exchanged for another.

``keys`` are the newest first: it signs, and every one of them verifies, so that a key is replaced while its links are still out.
"""

import hashlib

from itsdangerous import BadSignature, URLSafeSerializer, base64_decode, base64_encode


def sign(keys: tuple[str, ...], purpose: str, content: list[object]) -> str:
    return str(_serializer(keys, purpose).dumps(content))


def read(keys: tuple[str, ...], purpose: str, token: str) -> list[object] | None:
    """What was signed for the same ``purpose``, or None. A token is good in one spelling only: the one that was given out."""
    try:
        content = _serializer(keys, purpose).loads(token)
        _, _, signature = token.rpartition(".")
        if base64_encode(base64_decode(signature)).decode() != signature:  # several characters at its end mean the same bytes
            return None
    except (BadSignature, UnicodeError):
        return None
    return content if isinstance(content, list) else None


def _serializer(keys: tuple[str, ...], purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(list(reversed(keys)), salt=purpose, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"})
