"""Runs many cases of some doors and prints what came of them: `python -m tests.fuzz csv=50000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from . import DOORS, SHARES
from .judge import Tally, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("doors", nargs="*", metavar="DOOR[=CASES]", help=", ".join(DOORS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, help="stop a door after so long")
    parser.add_argument("--show", type=int, default=1, help="tracebacks a kind of fault")
    arguments = parser.parse_args()
    failed = False
    for text in arguments.doors or DOORS:
        name, _, count = text.partition("=")
        count = count or (1_000_000_000 if arguments.seconds else SHARES[name])
        begin, tally = time.monotonic(), Tally()
        first, last = arguments.first, arguments.first + int(count)
        with tempfile.TemporaryDirectory() as folder:
            while first < last:
                step = range(first, min(first + 10, last))
                run(DOORS[name], step, seed=arguments.seed, folder=Path(folder), tally=tally)
                first = step.stop
                if arguments.seconds and time.monotonic() - begin > arguments.seconds:
                    break
        seconds = time.monotonic() - begin
        print(
            f"{name:10} {tally.cases:>9,} cases: {tally.read:,} read, {tally.refused:,} refused, "
            f"{len(tally.faults):,} faults; {seconds:,.0f} s, "
            f"{1000 * seconds / max(tally.cases, 1):.1f} ms a case",
            flush=True,
        )
        for kind, cases in sorted(tally.kinds().items(), key=lambda item: -len(item[1])):
            failed = True
            print(f"  {len(cases):,} × {kind}; {', '.join(cases[:3])}")
            texts = dict(tally.faults)
            for case in cases[: arguments.show]:
                print("    | " + texts[case].replace("\n", "\n    | "))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
