"""A loud merchant, as a process of its own: a loop for each token creates and searches, and does not listen when it is refused.

``python -m tests.bench.noise PORT FILE``: the file has a token a line. It runs until it is ended, and then prints how often it got which
status.
"""

import asyncio
import itertools
import json
import signal
import sys
from collections import Counter
from pathlib import Path

import uvloop

from tests.bench.wire import Connection, request

BASE = "/v1/api/helpdesk"


async def be_loud(port: int, tokens: list[str]) -> Counter[str]:
    got, over = Counter[str](), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    loops = [asyncio.create_task(_loop(port, token, got)) for token in tokens]
    await over.wait()
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    return got


async def _loop(port: int, token: str, got: Counter[str]) -> None:
    connection = await Connection.to(port)
    body = {"subject": "The till does not open", "description": "Since this morning. " * 10, "category": "general"}
    asked = {
        "create": request("POST", f"{BASE}/tickets", token, body),
        "search": request("GET", f"{BASE}/tickets?q=till+morning&limit=50", token),
    }
    for name, whole in itertools.cycle(asked.items()):
        got[f"{name} {(await connection.ask(whole)).status}"] += 1


if __name__ == "__main__":
    print(json.dumps(uvloop.run(be_loud(int(sys.argv[1]), Path(sys.argv[2]).read_text().split()))))
