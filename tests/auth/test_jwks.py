import asyncio

import pytest

from api.auth.jwks import ATTEMPT_SECONDS, FRESH_SECONDS, STALE_LIMIT_SECONDS, KeySet, KeysUnavailable, UnknownKey
from tests.auth.identity_service import Answer, Clock, IdentityService, SigningKey, flood, hang_up, publish, reply, trickle, until
from tests.support.counted import counted

SECOND = SigningKey("second")
REDIRECT = reply(b"", "302 Found", "Location: /elsewhere")
FAILURES = {
    "garbage": reply(b"<html>"),
    "deep": reply(b"[" * 60_000),
    "no list": reply(b'{"keys": 7}'),
    "empty": reply(b'{"keys": []}'),
    "error": reply(b"{}", "500 Oops"),
    "redirect": REDIRECT,
    "compressed": reply(b"x", "200 OK", "Content-Encoding: gzip"),
    "hang up": hang_up,
    "trickle": trickle,
    "flood": flood,
    "oversized": reply(b" " * 70_000),
}


async def test_a_fresh_set_answers_without_asking_again(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    await keys.key("first")
    clock.move(FRESH_SECONDS[0] - 1)
    await keys.key("first")
    assert service.requests == 1


async def test_an_old_set_answers_at_once_and_is_refreshed_behind_the_scene(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    await keys.warm()
    clock.move(FRESH_SECONDS[1] + 1)
    service.open.clear()
    service.answer = publish(SECOND)
    await keys.key("first")
    await until(lambda: service.requests == 2)
    await keys.key("first")
    service.open.set()
    await until(lambda: keys.known("second") is not None)
    assert keys.known("first") is None


async def test_fifty_callers_share_one_fetch(keys: KeySet, service: IdentityService) -> None:
    await asyncio.gather(*(keys.key("first") for _ in range(50)))
    assert service.requests == 1


async def test_a_caller_that_goes_away_leaves_the_fetch_to_the_others(keys: KeySet, service: IdentityService) -> None:
    service.open.clear()
    leaver, stayer = asyncio.create_task(keys.key("first")), asyncio.create_task(keys.key("first"))
    await until(lambda: service.requests == 1)
    leaver.cancel()
    service.open.set()
    assert await stayer is keys.known("first")


async def test_a_flood_of_invented_ids_is_one_fetch_in_thirty_seconds(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    await keys.warm()
    clock.move(ATTEMPT_SECONDS)
    answers = await asyncio.gather(*(keys.key(f"invented-{n}") for n in range(200)), return_exceptions=True)
    clock.move(ATTEMPT_SECONDS - 1)
    with pytest.raises(UnknownKey):
        await keys.key("one-more")
    assert {type(answer) for answer in answers} == {UnknownKey}
    assert service.requests == 2


async def test_failed_attempts_count_too(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    fetched, failed = (counted("helpdesk_jwks_fetches_total", outcome=outcome) for outcome in ("fetched", "failed"))
    assert keys.age_seconds == float("inf")
    await keys.warm()
    clock.move(ATTEMPT_SECONDS)
    service.answer = hang_up
    for _ in range(5):
        with pytest.raises(UnknownKey):
            await keys.key("invented")
    assert service.requests == 2
    assert keys.age_seconds == ATTEMPT_SECONDS
    assert counted("helpdesk_jwks_fetches_total", outcome="fetched") == fetched + 1
    assert counted("helpdesk_jwks_fetches_total", outcome="failed") == failed + 1


async def test_a_rotated_key_is_found_at_its_first_use(keys: KeySet, service: IdentityService, signer: SigningKey, clock: Clock) -> None:
    await keys.warm()
    service.answer = publish(signer, SECOND)
    clock.move(ATTEMPT_SECONDS)
    assert (await keys.key("second")).public_numbers() == SECOND.private.public_key().public_numbers()


async def test_a_known_key_never_waits_for_the_fetch_of_an_unknown_one(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    await keys.warm()
    clock.move(ATTEMPT_SECONDS)
    service.open.clear()
    waiting = asyncio.create_task(keys.key("invented"))
    await until(lambda: service.requests == 2)
    await keys.key("first")
    assert not waiting.done()
    service.open.set()
    with pytest.raises(UnknownKey):
        await waiting


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_bad_answer_leaves_no_keys_and_says_when_to_try_again(keys: KeySet, service: IdentityService, failure: Answer) -> None:
    service.answer = failure
    with pytest.raises(KeysUnavailable) as refused:
        await keys.key("first")
    assert 1 <= refused.value.retry_after_seconds <= ATTEMPT_SECONDS
    assert service.requests == 1
    assert not keys.has_keys


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_bad_answer_leaves_the_known_keys_as_they_are(
    keys: KeySet, service: IdentityService, clock: Clock, failure: Answer
) -> None:
    await keys.warm()
    service.answer = failure
    clock.move(FRESH_SECONDS[1] + 1)
    await keys.warm()
    assert service.requests == 2
    assert keys.known("first") is not None


async def test_known_keys_outlive_an_outage_for_a_day_and_no_longer(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    await keys.warm()
    await service.stop()
    clock.move(STALE_LIMIT_SECONDS)
    await keys.key("first")
    clock.move(ATTEMPT_SECONDS)
    assert not keys.has_keys
    with pytest.raises(KeysUnavailable):
        await keys.key("first")


async def test_the_pause_between_first_attempts_grows_from_one_second(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    service.answer = hang_up
    waits = []
    for _ in range(7):
        with pytest.raises(KeysUnavailable) as refused:
            await keys.key("first")
        waits.append(refused.value.retry_after_seconds)
        clock.move(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert service.requests == 7


async def test_an_endpoint_that_comes_up_late_is_found(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    await service.stop()
    await keys.warm()
    assert not keys.has_keys
    await service.start()
    clock.move(1)
    await keys.warm()
    assert keys.has_keys


async def test_a_key_that_did_not_change_stays_the_same_object(keys: KeySet, service: IdentityService, clock: Clock) -> None:
    before = await keys.key("first")
    clock.move(FRESH_SECONDS[1] + 1)
    await keys.warm()
    assert service.requests == 2
    assert await keys.key("first") is before


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"crv": "P-384"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"kid": 7},
        {"kid": ""},
        {"kid": "k" * 201},
        {"x": "AAAA"},
        {"x": None},
        {"y": "A" * 43},
        {"d": "A" * 43},
    ],
)
async def test_only_public_p256_signing_keys_count(keys: KeySet, service: IdentityService, change: dict[str, object]) -> None:
    service.answer = publish(SECOND.jwk | change, "nonsense", SigningKey("good"))  # type: ignore[arg-type]
    await keys.warm()
    assert keys.known("good") is not None
    assert keys.known("second") is None


async def test_of_two_keys_with_one_id_the_first_counts(keys: KeySet, service: IdentityService, signer: SigningKey) -> None:
    service.answer = publish(signer, SigningKey(signer.kid))
    assert (await keys.key(signer.kid)).public_numbers() == signer.private.public_key().public_numbers()


async def test_closing_ends_a_fetch_in_flight(keys: KeySet, service: IdentityService) -> None:
    service.open.clear()
    waiting = asyncio.create_task(keys.key("first"))
    await until(lambda: service.requests == 1)
    await keys.aclose()
    with pytest.raises(KeysUnavailable):
        await waiting
