import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth.jwks import ATTEMPT_SECONDS, FRESH_SECONDS, KeySet, KeysUnavailable
from api.auth.tokens import LEEWAY_SECONDS, Claims, Every, InvalidToken, TokenVerifier
from models.people.roles import Role
from tests.auth.identity_service import (
    ACME,
    AUDIENCE,
    GLOBEX,
    ISSUER,
    Clock,
    IdentityService,
    SigningKey,
    claims_of_ana,
    publish,
    until,
)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def reason(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        await verifier.verify(token)
    assert token not in str(refused.value)
    return refused.value.reason


async def test_a_good_token_says_who_asks(verifier: TokenVerifier, signer: SigningKey) -> None:
    assert await verifier.verify(signer.sign(claims_of_ana())) == Claims(
        sub="ana", name="Ana", email="ana@acme.test", merchant_ids=(ACME,), roles=frozenset({Role.AGENT})
    )


async def test_ids_may_be_text_or_numbers_and_organizers_narrow_down(verifier: TokenVerifier, signer: SigningKey) -> None:
    token = signer.sign(claims_of_ana(merchantIds=[ACME, str(GLOBEX), str(ACME)], organizerIds=["5", 6], aud=["other", AUDIENCE]))
    claims = await verifier.verify(token)
    assert (claims.merchant_ids, claims.organizer_ids) == ((ACME, GLOBEX), (5, 6))
    assert claims.may_act_for(GLOBEX)
    assert not claims.may_act_for(9)


@pytest.mark.parametrize(("said", "is_verified"), [(True, True), (False, False), ("true", False), (1, False), ([], False), (None, None)])
async def test_an_address_is_theirs_only_if_the_token_says_so(
    said: object, is_verified: object, verifier: TokenVerifier, signer: SigningKey
) -> None:
    claims = await verifier.verify(signer.sign(claims_of_ana(email_verified=said)))
    assert (claims.email_verified, claims.verified_email) == (is_verified, "ana@acme.test" if is_verified else None)
    assert claims.email == "ana@acme.test"


async def test_where_the_issuer_verifies_every_address_a_token_need_not_say_so(keys: KeySet, signer: SigningKey) -> None:
    verifier = TokenVerifier(keys, ISSUER, AUDIENCE, emails_verified=True)
    said = [(await verifier.verify(signer.sign(claims_of_ana(**claims)))).verified_email for claims in ({}, {"email_verified": False})]
    assert said == ["ana@acme.test", None]


async def test_an_operator_may_act_for_every_merchant(verifier: TokenVerifier, signer: SigningKey) -> None:
    claims = await verifier.verify(signer.sign(claims_of_ana(merchantIds=["*"], roles=["operator"])))
    assert claims.merchant_ids is Every.MERCHANT
    assert claims.may_act_for(GLOBEX)


async def test_unknown_roles_are_left_out(verifier: TokenVerifier, signer: SigningKey) -> None:
    claims = await verifier.verify(signer.sign(claims_of_ana(roles=["emperor", "lead", 7])))
    assert claims.roles == {Role.LEAD}


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt"])
async def test_the_types_of_access_tokens_are_taken(verifier: TokenVerifier, signer: SigningKey, typ: str) -> None:
    assert (await verifier.verify(signer.sign(claims_of_ana(), typ=typ))).sub == "ana"


async def test_alg_none_is_refused(verifier: TokenVerifier) -> None:
    header = encoded({"alg": "none", "kid": "first"})
    assert await reason(verifier, f"{header}.{encoded(claims_of_ana())}.") == "wrong algorithm"


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(verifier: TokenVerifier, signer: SigningKey) -> None:
    pem = signer.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, payload = encoded({"alg": "HS256", "kid": "first"}), encoded(claims_of_ana())
    signature = base64.urlsafe_b64encode(
        jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(f"{header}.{payload}".encode(), pem)
    )
    assert await reason(verifier, f"{header}.{payload}.{signature.rstrip(b'=').decode()}") == "wrong algorithm"


async def test_other_algorithms_are_refused(verifier: TokenVerifier) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await reason(verifier, jwt.encode(claims_of_ana(), own, "RS256", {"kid": "first"})) == "wrong algorithm"
    assert (
        await reason(verifier, jwt.encode(claims_of_ana(), ec.generate_private_key(ec.SECP384R1()), "ES384", {"kid": "first"}))
        == "wrong algorithm"
    )


async def test_another_key_under_a_known_id_is_refused(verifier: TokenVerifier) -> None:
    assert await reason(verifier, SigningKey("first").sign(claims_of_ana())) == "wrong signature"


async def test_a_changed_payload_is_refused(verifier: TokenVerifier, signer: SigningKey) -> None:
    header, _, signature = signer.sign(claims_of_ana()).split(".")
    assert (
        await reason(verifier, f"{header}.{encoded(claims_of_ana(roles=['operator'], merchantIds=['*']))}.{signature}") == "wrong signature"
    )


async def test_unknown_keys_are_refused_with_one_fetch(
    verifier: TokenVerifier, service: IdentityService, clock: Clock, keys: KeySet
) -> None:
    await keys.warm()
    clock.move(ATTEMPT_SECONDS)
    for n in range(20):
        assert await reason(verifier, SigningKey(f"invented-{n}").sign(claims_of_ana())) == "unknown key"
    assert service.requests == 2


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"typ": "id_token"}, "not an access token"),
        ({"typ": "logout+jwt"}, "not an access token"),
        ({"typ": 7}, "not an access token"),
        ({"crit": ["exp"], "exp": 1}, "not a signed token"),
        ({"kid": "k" * 201}, "no usable key id"),
        ({"kid": ""}, "no usable key id"),
        ({"jwk": {"kty": "EC"}, "jku": "https://evil.test", "kid": "second"}, "unknown key"),
    ],
)
async def test_odd_headers_are_refused(verifier: TokenVerifier, signer: SigningKey, header: dict[str, Any], why: str) -> None:
    assert await reason(verifier, signer.sign(claims_of_ana(), **header)) == why


@pytest.mark.parametrize("kid", [None, 7, ["first"], {"a": 1}])
async def test_a_key_id_that_is_no_text_is_refused(verifier: TokenVerifier, kid: object) -> None:
    token = f"{encoded({'alg': 'ES256', 'kid': kid})}.{encoded(claims_of_ana())}.AAAA"
    assert await reason(verifier, token) in {"no usable key id", "not a signed token"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": None}, "claim exp is missing"),
        ({"iat": None}, "claim iat is missing"),
        ({"iss": None}, "claim iss is missing"),
        ({"aud": None}, "claim aud is missing"),
        ({"sub": None}, "claim sub is missing"),
        ({"iss": "https://evil.test"}, "wrong issuer"),
        ({"aud": "billing"}, "wrong audience"),
        ({"aud": []}, "claim aud is missing"),
        ({"nonce": "n"}, "not an access token"),
        ({"at_hash": "h"}, "not an access token"),
        ({"typ": "ID"}, "not an access token"),
        ({"token_use": "id"}, "not an access token"),
        ({"exp": "99999999999"}, "claim exp is not valid"),
        ({"exp": 1e300}, "claim exp is not valid"),
        ({"iat": True}, "claim iat is not valid"),
        ({"sub": 7}, "claim sub is not valid"),
        ({"sub": ""}, "claim sub is not valid"),
        ({"sub": "a" * 201}, "claim sub is not valid"),
        ({"sub": "a\x00b"}, "claim sub is not valid"),
        ({"sub": "a\ud800"}, "claim sub is not valid"),
        ({"name": "A" * 201}, "claim name is not valid"),
        ({"name": "Ana\r\nBcc: leo"}, "claim name is not valid"),
        ({"name": ["Ana"]}, "claim name is not valid"),
        ({"email": "no address"}, "claim email is not valid"),
        ({"email": "a@" + "b" * 260}, "claim email is not valid"),
        ({"merchantIds": None}, "claim merchantIds is not valid"),
        ({"merchantIds": []}, "claim merchantIds is not valid"),
        ({"merchantIds": str(ACME)}, "claim merchantIds is not valid"),
        ({"merchantIds": [0]}, "claim merchantIds is not valid"),
        ({"merchantIds": ["-5"]}, "claim merchantIds is not valid"),
        ({"merchantIds": [2**63]}, "claim merchantIds is not valid"),
        ({"merchantIds": [True]}, "claim merchantIds is not valid"),
        ({"merchantIds": [1.0]}, "claim merchantIds is not valid"),
        ({"merchantIds": ["٣"]}, "claim merchantIds is not valid"),
        ({"merchantIds": ["7", "*"]}, "claim merchantIds is not valid"),
        ({"merchantIds": list(range(1, 1002))}, "claim merchantIds is not valid"),
        ({"merchantIds": ["*"]}, "roles and merchants do not agree"),
        ({"merchantIds": ["*"], "roles": ["admin"]}, "roles and merchants do not agree"),
        ({"organizerIds": ["x"]}, "claim organizerIds is not valid"),
        ({"roles": None}, "claim roles is not valid"),
        ({"roles": []}, "claim roles is not valid"),
        ({"roles": "operator"}, "claim roles is not valid"),
        ({"roles": ["emperor"]}, "claim roles is not valid"),
        ({"roles": ["Agent"]}, "claim roles is not valid"),
    ],
)
async def test_bad_claims_are_refused_by_name(verifier: TokenVerifier, signer: SigningKey, changes: dict[str, Any], why: str) -> None:
    claims = json.loads(json.dumps(claims_of_ana() | {name: value for name, value in changes.items() if value is not None}))
    token = signer.sign({name: value for name, value in claims.items() if changes.get(name, value) is not None})
    assert await reason(verifier, token) == why


@pytest.mark.parametrize(("claim", "why"), [("exp", "expired"), ("nbf", "not valid yet"), ("iat", "not valid yet")])
async def test_times_are_refused_beyond_the_leeway_and_forgiven_within(
    verifier: TokenVerifier, signer: SigningKey, claim: str, why: str
) -> None:
    past_or_future = -1 if claim == "exp" else 1
    now = int(time.time())
    good = signer.sign(claims_of_ana(**{claim: now + past_or_future * (LEEWAY_SECONDS - 15)}))
    assert (await verifier.verify(good)).sub == "ana"
    assert await reason(verifier, signer.sign(claims_of_ana(**{claim: now + past_or_future * (LEEWAY_SECONDS + 15)}))) == why


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "é.é.é",
        "\ud800",
        "x" * 8193,
        "A" * 100_000,
        f"{'ey' * 50}.{'ey' * 50}.AA",
        f"{encoded([1])}.e30.AA",
        base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.AA",
    ],
)
async def test_what_is_no_token_is_refused_before_anything_is_asked(verifier: TokenVerifier, service: IdentityService, token: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(token)
    assert service.requests == 0


async def test_without_any_key_nobody_is_judged(verifier: TokenVerifier, service: IdentityService, signer: SigningKey) -> None:
    await service.stop()
    with pytest.raises(KeysUnavailable):
        await verifier.verify(signer.sign(claims_of_ana()))


async def test_an_outage_is_not_a_logout(verifier: TokenVerifier, service: IdentityService, signer: SigningKey, clock: Clock) -> None:
    await verifier.verify(signer.sign(claims_of_ana()))
    await service.stop()
    clock.move(FRESH_SECONDS[1] * 10)
    assert (await verifier.verify(signer.sign(claims_of_ana(name="Ana again")))).name == "Ana again"


async def test_a_remembered_token_dies_with_its_key(
    verifier: TokenVerifier, service: IdentityService, signer: SigningKey, clock: Clock
) -> None:
    token = signer.sign(claims_of_ana())
    await verifier.verify(token)
    service.answer = publish(SigningKey("second"))
    clock.move(FRESH_SECONDS[1] + 1)
    await verifier.verify(token)
    await until(lambda: service.requests == 2)
    await until(lambda: verifier._keys.known("first") is None)
    assert await reason(verifier, token) == "unknown key"


async def test_a_remembered_token_dies_with_a_new_key_under_the_same_id(
    keys: KeySet, service: IdentityService, signer: SigningKey, clock: Clock
) -> None:
    verifier = TokenVerifier(keys, ISSUER, AUDIENCE)
    token = signer.sign(claims_of_ana())
    await verifier.verify(token)
    service.answer = publish(SigningKey("first"))
    clock.move(FRESH_SECONDS[1] + 1)
    await keys.warm()
    assert await reason(verifier, token) == "wrong signature"


async def test_a_remembered_token_expires(keys: KeySet, signer: SigningKey) -> None:
    seconds = time.time()
    verifier = TokenVerifier(keys, ISSUER, AUDIENCE, now=lambda: seconds)
    token = signer.sign(claims_of_ana(exp=int(seconds) - LEEWAY_SECONDS + 20))
    first = await verifier.verify(token)
    assert await verifier.verify(token) is not first
    lasting = signer.sign(claims_of_ana())
    remembered = await verifier.verify(lasting)
    assert await verifier.verify(lasting) is remembered
    seconds += 601
    assert await verifier.verify(lasting) is not remembered


async def test_the_memory_is_bounded(verifier: TokenVerifier, signer: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.auth.tokens.MAX_REMEMBERED", 2)
    tokens = [signer.sign(claims_of_ana(sub=f"ana-{n}")) for n in range(3)]
    first = [await verifier.verify(token) for token in tokens]
    assert await verifier.verify(tokens[2]) is first[2]
    assert await verifier.verify(tokens[0]) is not first[0]
