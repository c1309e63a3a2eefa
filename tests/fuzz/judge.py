"""The judgement of one case: its value, a refusal in the library's own words, or a fault."""

from __future__ import annotations

import random
import signal
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from cxjourney.exceptions import CxJourneyError, CxJourneyWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

LONGEST = 1_000  # characters of a message
SECONDS = 20  # that a case may take on a busy machine


class HangError(BaseException):
    """A case took too long; no handler of the library or the harness may catch it."""


class Tally:
    """How many cases of a door were read and refused, and what went wrong."""

    def __init__(self) -> None:
        self.read = self.refused = 0
        self.faults: list[tuple[str, str]] = []

    @property
    def cases(self) -> int:
        return self.read + self.refused + len(self.faults)

    def kinds(self) -> dict[str, list[str]]:
        """Return the cases of each kind of fault."""
        found: dict[str, list[str]] = {}
        for case, text in self.faults:
            found.setdefault(_kind(text), []).append(case)
        return found


def judged(call: Callable[[], T]) -> T | None:
    """Return what a call returns; None where it refuses in words that one can read."""
    try:
        return call()
    except CxJourneyError as error:
        message = str(error)
    assert len(message) <= LONGEST, f"a message of {len(message):,} characters"
    return None


def run(
    door: Callable[[random.Random, Path], bool],
    cases: range,
    *,
    seed: int,
    folder: Path,
    tally: Tally | None = None,
) -> Tally:
    """Run cases of a door, each from a seed of its own, and return what came of them."""
    tally = tally or Tally()
    name = door.__name__
    alarmed = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, _alarm) if alarmed else None
    try:
        for i in cases:
            case = f"{name}:{seed}:{i}"
            if alarmed:
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    warnings.simplefilter("ignore", CxJourneyWarning)
                    read = door(random.Random(case), folder)  # noqa: S311 - reproducible
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001 - a panic of polars is no Exception
                tally.faults.append((case, traceback.format_exc()))
            else:
                tally.read += read
                tally.refused += not read
            finally:
                if alarmed:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        if alarmed:
            signal.signal(signal.SIGALRM, before)
    return tally


def _alarm(*_: Any) -> None:
    raise HangError(f"more than {SECONDS} s")


def _kind(text: str) -> str:
    """Return the last line of a traceback and the last places in the library that it names."""
    lines = text.strip().splitlines()
    places = [line.strip() for line in lines if "/cxjourney/" in line]
    last = next((x for x in reversed(lines) if x and not x.startswith((" ", "|", "+"))), lines[-1])
    return f"{last[:160]}  [{'; '.join(p.split('/cxjourney/')[-1] for p in places[-2:])}]"
