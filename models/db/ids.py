"""Snowflake ids: 41 bits of milliseconds since 2024, 10 bits of node, 12 bits of sequence.

A slot is one place in that order, the node left out: millisecond times 4096 plus sequence. The database leases slots in blocks and
never gives one out twice, so ids are unique whatever the number of processes that share the node, and whichever way a process's clock
steps. See docs/decisions/0003-ids.md.
"""

from datetime import UTC, datetime

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
SEQUENCE_BITS = 12
NODE_BITS = 10


def id_of(slot: int, node: int) -> int:
    millisecond, sequence = slot >> SEQUENCE_BITS, slot & ((1 << SEQUENCE_BITS) - 1)
    return millisecond << (NODE_BITS + SEQUENCE_BITS) | node << SEQUENCE_BITS | sequence
