"""Do one work once, in this process: `once.py WORK CONTENDER FOLDER SMALL_FOLDER`; prints JSON.

A call on the small data first loads what is loaded lazily. Peak memory is what the process held at
most during the timed call, over what it held before (Linux only).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("RETENTIONEERING_NO_TRACK", "1")


def memory(field: str) -> float:
    """Return a field of the process's memory [MB]; NaN where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return float("nan")


def main(work: str, contender: str, folder: str, small: str) -> dict[str, object]:
    """Return seconds, CPU seconds, extra memory and the answer."""
    if "reference" in contender:
        os.environ["CXJOURNEY_KERNELS"] = "reference"
    from contenders import CONTENDERS

    prepare = CONTENDERS[work][contender][1]
    prepare(Path(small))[0]()
    run, answer = prepare(Path(folder))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before, cpu, begin = memory("VmRSS"), time.process_time(), time.perf_counter()
    result = run()
    took = time.perf_counter() - begin
    return {
        "seconds": took,
        "cpu": time.process_time() - cpu,
        "extra_mb": memory("VmHWM") - before,
        "answer": answer(result),
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # some print banners
        found = main(*sys.argv[1:])
    print(json.dumps(found))
