"""Every work by every contender, side by side: `python tests/benchmarks/suite.py`.

One process a call, all contenders of a work in alternating order, medians over the rounds, so that
a busy machine slows all alike. Answers must agree, or the suite stops. Each contender runs in its
environment of `environments/*.txt`, made where it is missing; "frames" is the interpreter that runs
this, which needs cxjourney and those packages. Writes results.json and results.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from contenders import CONTENDERS  # noqa: E402
from data import write  # noqa: E402

SMALL = 20_000
SIMULATED = 0.05  # how far a removal effect by simulation may be off
IMPORTS = {
    "cxjourney": "frames",
    "polars": "frames",
    "duckdb": "frames",
    "pandas": "frames",
    "pm4py": "pm4py",
    "retentioneering": "retentioneering",
    "ChannelAttribution": "channelattribution",
}
TIMER = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
SIZE = """
import importlib.metadata as m, re, sys
todo, done, size = [sys.argv[1]], set(), 0
while todo:
    name = re.sub("[-_.]+", "-", todo.pop()).lower()
    if name in done: continue
    try: dist = m.distribution(name)
    except m.PackageNotFoundError: continue
    done.add(name)
    for f in dist.files or ():
        p = f.locate()
        if f.suffix != ".pyc" and p.is_file(): size += p.stat().st_size
    for r in dist.requires or ():
        if "extra ==" not in r: todo.append(re.match("[A-Za-z0-9._-]+", r)[0])
print(size / 1e6, len(done))
"""


def interpreter(environment: str, folder: Path) -> str | None:
    """Return the interpreter of an environment, made where missing; None if it cannot be made."""
    if environment == "frames":
        return sys.executable
    python = folder / environment / "bin" / "python"
    if not python.exists():
        venv.create(folder / environment, with_pip=True)
    wanted = HERE / "environments" / f"{environment}.txt"
    timestamp = folder / environment / "installed"
    if not timestamp.exists():
        command = [python, "-m", "pip", "install", "-q", "-r", wanted]
        if subprocess.run(command, check=False).returncode:
            return None
        timestamp.touch()
    return str(python)


def timed(python: str, work: str, name: str, folders: tuple[Path, Path]) -> dict[str, Any] | None:
    """Return what one call of one contender took and said; None if it failed."""
    command = [python, str(HERE / "once.py"), work, name, *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def agree(first: dict[str, float], other: dict[str, float], *, simulated: bool) -> bool:
    """Return whether two answers are the same, or as near as a simulation comes."""
    if first.keys() != other.keys():
        return False
    error = SIMULATED if simulated else 1e-9
    return all(math.isclose(first[k], other[k], rel_tol=0, abs_tol=error) for k in first)


def side_by_side(
    work: str, folders: tuple[Path, Path], pythons: dict[str, str | None], rounds: int
) -> dict[str, dict[str, float]]:
    """Return medians by contender; the order turns round with every round."""
    calls: dict[str, list[dict[str, Any]]] = {}
    names = [n for n, (env, _) in CONTENDERS[work].items() if pythons.get(env)]
    failed: set[str] = set()
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            python = pythons[CONTENDERS[work][name][0]]
            if python is None or name in failed:
                continue
            call = timed(python, work, name, folders)
            if call is None:
                failed.add(name)
                continue
            calls.setdefault(name, []).append(call)
            first = next(iter(calls.values()))[0]["answer"]
            if not agree(first, call["answer"], simulated=work.startswith("D")):
                raise SystemExit(f"{work}: {name} says {call['answer']}, not {first}")
    return {
        name: {
            key: statistics.median(call[key] for call in found)
            for key in ("seconds", "cpu", "extra_mb")
        }
        | {"fastest": min(call["seconds"] for call in found), "rounds": len(found)}
        for name, found in calls.items()
        if name not in failed
    }


def _output(command: list[str]) -> str:
    """Return what a command prints, without banners."""
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout


def footprints(pythons: dict[str, str | None], rounds: int) -> dict[str, dict[str, float]]:
    """Return import time [s] and installed size [MB] with dependencies."""
    result = {}
    for package, environment in IMPORTS.items():
        python = pythons.get(environment)
        if not python:
            continue
        times = [
            float(_output([python, "-c", TIMER.format(package)]).split()[-1])
            for _ in range(rounds + 1)
        ]
        megabytes, count = _output([python, "-c", SIZE, package]).split()
        result[package] = {
            "import_s": statistics.median(times[1:]),
            "installed_mb": float(megabytes),
            "packages": float(count),
        }
    return result


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = lines[0].partition(": ")[2] if lines else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    facts = results["machine"]
    where = f"{facts['cpu']}, {facts['cores']} cores, Python {facts['python']}"
    lines = [f"{where}, load {facts['load']}; medians of {results['rounds']} rounds"]
    for size, works in results["works"].items():
        for work, found in works.items():
            ours = next(iter(found.values()))
            lines += [
                "",
                f"{work}, {int(size):,} interactions",
                "",
                "| | median [ms] | CPU [ms] | extra memory [MB] | time, × cxjourney | CPU, × |",
                "|---|---:|---:|---:|---:|---:|",
            ]
            lines += [
                f"| {name} | {1000 * m['seconds']:,.0f} | {1000 * m['cpu']:,.0f} "
                f"| {m['extra_mb']:,.0f} | {m['seconds'] / ours['seconds']:.1f} "
                f"| {m['cpu'] / ours['cpu']:.1f} |"
                for name, m in found.items()
            ]
    lines += ["", "F import and installation", ""]
    lines += ["| | import [ms] | installed [MB] | packages |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {1000 * m['import_s']:,.0f} | {m['installed_mb']:,.0f} | {m['packages']:.0f} |"
        for name, m in results["footprints"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--works", nargs="+", default=[], help="first letters; all by default")
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--without", nargs="+", default=[], help="environments to leave out")
    options = parser.parse_args()
    environments = {env for work in CONTENDERS.values() for env, _ in work.values()}
    pythons = {
        env: interpreter(env, options.folder / "environments")
        for env in sorted(environments - set(options.without))
    }
    write(options.folder / str(SMALL), SMALL)
    results: dict[str, Any] = {"machine": machine(), "rounds": options.rounds, "works": {}}
    for n in options.interactions:
        folders = options.folder / str(n), options.folder / str(SMALL)
        write(folders[0], n)
        for work in CONTENDERS:
            if options.works and work[0] not in options.works:
                continue
            found = side_by_side(work, folders, pythons, options.rounds)
            results["works"].setdefault(str(n), {})[work] = found
            print(n, work, {k: round(1000 * m["seconds"], 1) for k, m in found.items()}, flush=True)
    results["footprints"] = footprints(pythons, options.rounds)
    (options.folder / "results.json").write_text(json.dumps(results, indent=1))
    (options.folder / "results.md").write_text(markdown(results))
    print(markdown(results))


if __name__ == "__main__":
    main()
