"""Keys rotate: the newest signs, and what an older one signed is good as long as that one stands behind it."""

from models.platform.signed_links import read, sign

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 32
CONTENT: list[object] = [7, 9]


def test_what_an_older_key_signed_is_good_until_the_key_is_taken_away() -> None:
    token = sign((OLD,), "survey", CONTENT)
    assert read((NEW, OLD), "survey", token) == CONTENT
    assert read((NEW,), "survey", token) is None
    assert read((OTHER,), "survey", token) is None


def test_the_newest_key_signs() -> None:
    token = sign((NEW, OLD), "survey", CONTENT)
    assert read((NEW,), "survey", token) == CONTENT
    assert read((OLD,), "survey", token) is None


def test_no_key_makes_a_link_good_for_another_purpose() -> None:
    assert read((NEW, OLD), "survey", sign((OLD,), "cursor/x", CONTENT)) is None
