"""Chromium without a window, told what to do by its own protocol (DevTools) over two named pipes: nothing is installed beside it."""

import base64
import json
import os
import select
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.processes import end, launch

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0
"""The longest wait for an answer of the browser, or for a page to say something."""


class BrowserError(Exception):
    """There is no browser, or it did not do what it was told."""


class Page:
    """One tab. ``asked`` and ``said`` are the two pipes; messages are JSON, and end with a NUL."""

    def __init__(self, asked: int, said: int) -> None:
        self._asked, self._said = asked, said
        self._read, self._last = b"", 0
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        os.write(self._asked, json.dumps({"id": self._last, "method": method, "params": params, **self._session}).encode() + b"\0")
        while (answer := self._message()).get("id") != self._last:
            pass  # events, which nobody asked for
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            if not select.select([self._said], [], [], SECONDS)[0]:
                raise BrowserError(f"the browser has said nothing for {SECONDS:g} s; what it wrote is in its log")
            self._read += os.read(self._said, 1 << 20)
        message, _, self._read = self._read.partition(b"\0")
        return dict(json.loads(message))

    def keep(self, **stored: Any) -> None:
        """Values that every page from now on finds in its local storage."""
        source = (
            f"for (const [k, v] of Object.entries({json.dumps(stored)})) localStorage.setItem(k.replaceAll('_', '-'), JSON.stringify(v))"
        )
        self.call("Page.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=f"if (location.protocol === 'http:') {{ {source} }}")

    def show(self, url: str, *words: str) -> None:
        """Go there, and wait until the page says all of the ``words``."""
        self.call("Page.navigate", url=url)
        self.wait_for(*words)

    def wait_for(self, *words: str) -> None:
        until = time.monotonic() + SECONDS
        while missing := [each for each in words if each not in self.text()]:
            if time.monotonic() > until:
                raise BrowserError(f"the page does not say {missing}, but: {self.text()}")
            time.sleep(0.2)

    def text(self) -> str:
        """Of the page and of the pages in it."""
        pages = "[document, ...[...document.querySelectorAll('iframe')].map(each => each.contentDocument)]"
        script = f"{pages}.map(each => each?.body?.innerText ?? '').join('\\n')"
        return str(self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value"))

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self) -> None:
        """And the browser with it."""
        self.call("Browser.close")

    def picture(self, file: Path) -> None:
        """As PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """``folder`` gets its log and all that it keeps.

    Raises:
        BrowserError: no Chromium is installed, or it does not start.
    """
    binary = next((found for name in NAMES if (found := shutil.which(name))), None)
    if binary is None:
        raise BrowserError(f"no browser is on the PATH ({', '.join(NAMES)}): install Chromium, on Debian by `apt-get install chromium`")
    names = folder / "asked", folder / "said"
    for each in names:
        os.mkfifo(each)
    asked, said = (os.open(each, os.O_RDWR) for each in names)  # to read and to write: so neither side waits for the other to open it
    words: list[str | Path] = ["sh", "-c", 'said=$1; shift; exec "$@" 3<"$0" 4>"$said"', *names, binary, *_options(folder)]
    process = launch(words, log=folder / "browser.log", environment={**os.environ, "TZ": "UTC", "HOME": str(folder)})
    try:
        page = Page(asked, said)
        yield page
        page.close()
        process.wait(SECONDS)  # then it writes no more
    finally:
        if process.poll() is None:
            end(process)
        os.close(asked)
        os.close(said)


def _options(folder: Path) -> list[str]:
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "--disable-gpu", "--lang=en", *as_root]
