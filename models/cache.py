"""A cache that is bounded in bytes, whatever the number of its entries."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class _Entry(NamedTuple, Generic[_V]):
    value: _V
    size: int


class ByteCache(Generic[_K, _V]):
    """What was used last is kept, up to ``max_bytes`` by the sizes that are told. Threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        self.size = 0
        self._max_bytes = max_bytes
        self._entries: OrderedDict[_K, _Entry[_V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _K) -> _V | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry.value

    def keep(self, key: _K, value: _V, size: int) -> None:
        """``size``: bytes. What alone exceeds the bound is not kept, and nothing gives way to it."""
        with self._lock:
            replaced = self._entries.pop(key, None)
            self.size -= replaced.size if replaced else 0
            if size > self._max_bytes:
                return
            self.size += size
            self._entries[key] = _Entry(value, size)
            while self.size > self._max_bytes:
                self.size -= self._entries.popitem(last=False)[1].size
