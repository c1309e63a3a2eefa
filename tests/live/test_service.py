"""The example service over HTTP: nothing is lost or counted twice, whatever is killed and repeated.

`.ci/run databases` runs these, where FastAPI and PostgreSQL are.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx

# what is killed leaves sockets behind
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

KEY = bytes(range(100, 132)).hex()
CUSTOMERS, EVENTS, BATCH = 60, 1_500, 25
SECONDS = 120


class RefusedError(Exception):
    """The service has said no."""


class Running:
    """The service in a process of its own, which may be killed and started again."""

    def __init__(self, folder, database):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.environment = os.environ | {
            "CXJOURNEY_KEY": KEY, "CXJOURNEY_DATABASE": database, "CXJOURNEY_GOAL": "buy",
            "CXJOURNEY_INACTIVITY": "14d", "CXJOURNEY_LATENESS": "3d",
        }  # fmt: skip

    def start(self):
        line = [sys.executable, "-m", "uvicorn", "--factory", "app:make_app", "--port", self.port]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                list(map(str, line)), cwd=self.code, env=self.environment, stdout=log, stderr=log
            )
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                return self.asked("/health")
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
        raise AssertionError("the service has not started")

    def kill(self):
        self.process.kill()  # as kill -9
        self.process.wait()

    def asked(self, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:  # it holds a socket
                raise RefusedError(error.code) from None

    def sent(self, batch):
        """Send a batch until it has an answer, as a client does."""
        end = time.monotonic() + SECONDS
        while True:
            try:
                return self.asked("/interactions", batch)
            except (OSError, http.client.HTTPException):  # killed before or amid the answer
                assert time.monotonic() < end
                time.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgres"])
def service(request, tmp_path, project_root):
    database = str(tmp_path / "journeys.db")
    if request.param == "postgres":
        database = request.getfixturevalue("postgres")
    running = Running(tmp_path, database)
    running.code = project_root / "docs" / "examples" / "service"
    running.start()
    yield running
    running.kill()


def events():
    rng = random.Random(1)  # noqa: S311 - rows, no secrets
    begin = datetime.now(UTC) - timedelta(days=2)
    return [
        {
            "id": f"e{i}", "customer": f"ana {rng.randrange(CUSTOMERS)}",
            "touchpoint": rng.choice(["web", "cart", "help", "buy"]), "channel": "web",
            "timestamp": (begin + timedelta(seconds=60 * i + rng.random())).isoformat(),
        }
        for i in range(EVENTS)
    ]  # fmt: skip


def test_nothing_is_lost_or_counted_twice(service):
    sent = events()
    batches = [sent[i : i + BATCH] for i in range(0, EVENTS, BATCH)]
    batches += batches[::3]  # clients that send again though they need not
    random.Random(2).shuffle(batches)  # noqa: S311
    done, enough = [], threading.Event()

    def client(batch):
        done.append(service.sent(batch))
        if len(done) > len(batches) // 3:
            enough.set()

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(client, batch) for batch in batches]
        assert enough.wait(SECONDS)
        service.kill()
        service.start()
        for future in futures:
            future.result()
    assert service.asked("/health")["added"] == EVENTS
    replayed = [service.sent(batch) for batch in batches[:20]]
    assert all(told == {"added": 0, "repeated": BATCH, "late": 0} for told in replayed)
    service.kill()
    assert service.start() == {"added": EVENTS, "late": 0, "number": pytest.approx(EVENTS, abs=2e4)}

    key = cx.privacy.PseudonymKey(bytes.fromhex(KEY))
    log = cx.InteractionLog.from_interactions(
        (cx.Interaction.from_dict(one) for one in sent), pseudonyms=key
    )
    last = {}
    for journey in log.journeys(goal="buy", inactivity="14d"):
        last[journey.customer.id] = journey
    for number in range(CUSTOMERS):
        state = service.asked(f"/customers/ana%20{number}")
        journey = last[key.pseudonym(f"ana {number}")]
        assert state["customer"] == journey.customer.id
        assert tuple(state["touchpoints"]) == journey.touchpoints
        assert state["outcome"] == journey.outcome
    running = {name for name, journey in last.items() if journey.outcome == "in_progress"}
    at_risk = service.asked("/at-risk?top=1000")
    assert {one["customer"] for one in at_risk} == running
    assert "ana" not in json.dumps(at_risk)


def test_what_is_refused_is_not_kept(service):
    batch, before = events()[:2], service.asked("/health")
    for change in (
        {"timestamp": "2999-01-01T00:00:00Z"}, {"timestamp": "2026-01-01T00:00:00"}, {"id": " "},
        {"touchpoint": "__start__"}, {"email": "ana@example.org"},
    ):  # fmt: skip
        with pytest.raises(RefusedError, match="422"):
            service.asked("/interactions", [batch[0], batch[1] | change])
    assert service.asked("/health") == before
    with pytest.raises(RefusedError, match="404"):
        service.asked("/customers/nobody")
