"""A headless Chromium, driven through the DevTools protocol over a pipe: no further package."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
# the protocol speaks on descriptors 3 and 4: those that were passed are moved there
LAUNCHER = """
import os, sys
from fcntl import F_DUPFD, fcntl
ends = [fcntl(int(number), F_DUPFD, 10) for number in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
PATIENCE = 60  # seconds; the machine may be busy
KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
}


class Browser:
    """One Chromium with one page at a time."""

    def __init__(self, profile: Path) -> None:
        command = shutil.which("chromium")
        assert command is not None
        read_end, theirs_out = os.pipe()
        theirs_in, self._write_end = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", LAUNCHER, str(theirs_in), str(theirs_out)),
                *(command, *FLAGS, f"--user-data-dir={profile}", "about:blank"),
            ],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._read_end = read_end
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []

    def open(self, page: Path | str, *, width: int = 1280, height: int = 900) -> None:
        """Load a file or an address in a fresh page and wait until it stands."""
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        self._events.clear()
        self.address = page if isinstance(page, str) else page.as_uri()
        self.call("Page.navigate", url=self.address)
        self._wait_for("Page.loadEventFired")

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Wait until an expression of JavaScript is true in the page."""
        until = time.monotonic() + PATIENCE
        while not self.evaluate(condition):
            assert time.monotonic() < until, f"never true: {condition}"
            time.sleep(0.05)

    def centre_of(self, selector: str) -> tuple[float, float]:
        """Scroll an element into view and return where its middle is."""
        return tuple(
            self.evaluate(
                f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
                "e.scrollIntoView({block: 'center', behavior: 'instant'});"
                "const r = e.getBoundingClientRect();"
                "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
            )
        )

    def hover(self, selector: str) -> None:
        x, y = self.centre_of(selector)
        self.mouse("mouseMoved", x, y)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def press(self, key: str, *, shift: bool = False) -> None:
        code = KEYS.get(key, ord(key[0].upper()))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def complaints(self) -> list[str]:
        """Return what the console of the page has against it."""
        self.evaluate("1")  # a round trip: what came before has arrived
        said = []
        for event in self._events:
            method, facts = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                said.append(str(facts["exceptionDetails"]))
            elif method == "Log.entryAdded" and facts["entry"]["level"] in {"error", "warning"}:
                said.append(facts["entry"]["text"])
            elif method == "Runtime.consoleAPICalled":
                said.append(str(facts["args"]))
            elif method == "Page.javascriptDialogOpening":
                said.append(facts["message"])
        return said

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for, its own left out."""
        self.evaluate("1")
        asked = (
            event["params"]["request"]["url"]
            for event in self._events
            if event["method"] == "Network.requestWillBeSent"
        )
        return [address for address in asked if address.partition("#")[0] != self.address]

    def screenshot(self, target: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        target.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write_end, data) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _wait_for(self, method: str) -> None:
        while not any(event["method"] == method for event in self._events):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read_end], [], [], max(until - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            data = os.read(self._read_end, 1 << 20)
            assert data, "the browser has gone"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._events.append(message)
        return message

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")
        os.close(self._write_end)
        os.close(self._read_end)
        self._process.wait(PATIENCE)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """Return a running Chromium; a test that uses it carries the marker `browser`."""
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


# it brings axe-core; installed alone, since the driver that it asks for is not needed here
AXE = "axe_playwright_python"
LISTED = """
axe.run({resultTypes: ["violations"], ...OPTIONS}).then(
  found => found.violations.map(rule => `${rule.id}: ${rule.help}: ` +
  rule.nodes.slice(0, 3).map(node => `${node.target} ${node.failureSummary}`).join("; ")))
"""


@pytest.fixture
def violations(browser) -> Callable[..., list[str]]:
    """Return what lists which of the rules, or of those named, the page in the browser breaks."""
    package = find_spec(AXE)
    if package is None:
        assert "CXJOURNEY_SITE" not in os.environ, "axe-core is not installed"
        pytest.skip("axe-core is missing: python -m pip install --no-deps axe-playwright-python")
    script = Path(package.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")

    def found(*rules: str) -> list[str]:
        browser.evaluate(f"{script};0")
        options = {"returnByValue": True, "awaitPromise": True}
        only = json.dumps({"runOnly": {"type": "rule", "values": rules}} if rules else {})
        answer = browser.call(
            "Runtime.evaluate", expression=LISTED.replace("OPTIONS", only), **options
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"]["value"]

    return found
