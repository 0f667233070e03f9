"""A cache is bounded in bytes, and keeps what was used last."""

from models.cache import ByteCache


def test_what_was_used_longest_ago_gives_way() -> None:
    cache: ByteCache[str, int] = ByteCache(10)
    cache.keep("a", 1, 4)
    cache.keep("b", 2, 4)
    assert cache.get("a") == 1
    cache.keep("c", 3, 4)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert cache.size == 8


def test_what_is_larger_than_the_bound_is_not_kept_and_nothing_gives_way_to_it() -> None:
    cache: ByteCache[str, int] = ByteCache(10)
    cache.keep("a", 1, 5)
    cache.keep("b", 2, 5)
    cache.keep("b", 3, 11)
    assert [cache.get(key) for key in "ab"] == [1, None]
    assert cache.size == 5


def test_an_entry_that_is_replaced_counts_once() -> None:
    cache: ByteCache[str, int] = ByteCache(10)
    for size in (6, 2, 7):
        cache.keep("a", size, size)
    assert cache.get("a") == 7
    assert cache.size == 7
