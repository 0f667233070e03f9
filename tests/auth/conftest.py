from collections.abc import AsyncIterator

import pytest

from api.auth.jwks import KeySet
from api.auth.tokens import TokenVerifier
from tests.auth.identity_service import AUDIENCE, ISSUER, Clock, IdentityService, SigningKey, publish


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer() -> SigningKey:
    return SigningKey("first")


@pytest.fixture
async def service(signer: SigningKey) -> AsyncIterator[IdentityService]:
    service = IdentityService(publish(signer))
    await service.start()
    yield service
    service.open.set()
    await service.stop()


@pytest.fixture
async def keys(service: IdentityService, clock: Clock) -> AsyncIterator[KeySet]:
    keys = KeySet(service.url, clock=clock, fetch_seconds=1.0)
    yield keys
    await keys.aclose()


@pytest.fixture
def verifier(keys: KeySet) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, AUDIENCE)
