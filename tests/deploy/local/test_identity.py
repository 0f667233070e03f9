import stat
from pathlib import Path

import jwt
import pytest

from deploy.local.identity import DevelopmentIdentity, Wanted
from models.people.roles import Role

ISSUER = "http://127.0.0.1:3000/dev/identity"
ANA = Wanted(sub="ana", name="Ana", email="ana@acme.example", merchant_ids=("1001",), roles=(Role.AGENT,))


def identity(tmp_path: Path) -> DevelopmentIdentity:
    return DevelopmentIdentity(tmp_path / "secrets" / "identity.pem", issuer=ISSUER, audience="helpdesk")


def verify(token: str, service: DevelopmentIdentity) -> dict[str, object]:
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(service.jwks()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    required = ["exp", "iat", "iss", "aud", "sub"]
    return dict(jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience="helpdesk", options={"require": required}))


def test_a_token_verifies_against_the_key_set_and_says_what_was_wanted(tmp_path: Path) -> None:
    service = identity(tmp_path)
    claims = verify(service.token(ANA), service)
    assert (claims["sub"], claims["merchantIds"], claims["roles"]) == ("ana", ["1001"], ["agent"])
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 3600
    assert "organizerIds" not in claims


@pytest.mark.parametrize(
    ("wanted", "said"), [({}, True), ({"email_verified": False}, False), ({"email_verified": None}, None), ({"email": None}, None)]
)
def test_an_address_is_verified_unless_it_is_wanted_otherwise(wanted: dict[str, object], said: object, tmp_path: Path) -> None:
    service = identity(tmp_path)
    assert verify(service.token(ANA.model_copy(update=wanted)), service).get("email_verified") is said


def test_the_key_outlives_the_process_and_is_its_owners_alone(tmp_path: Path) -> None:
    token = identity(tmp_path).token(ANA)
    assert verify(token, identity(tmp_path))["sub"] == "ana"
    assert stat.S_IMODE((tmp_path / "secrets" / "identity.pem").stat().st_mode) == 0o600


def test_the_key_set_holds_no_private_part(tmp_path: Path) -> None:
    (key,) = identity(tmp_path).jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "use", "alg", "kid"}


def test_an_expired_token_can_be_had_for_a_try(tmp_path: Path) -> None:
    service = identity(tmp_path)
    with pytest.raises(jwt.ExpiredSignatureError):
        verify(service.token(ANA.model_copy(update={"expires_in": -60})), service)
