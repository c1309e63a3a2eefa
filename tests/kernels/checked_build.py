"""Run the kernels' tests on a build with every index checked and every pointer watched.

Cython's bounds checks see what is read through memoryviews, the compiler's sanitizers what is read
through pointers. The build lies in a folder of its own, and must first stop at the reads beyond an
end that `overruns.pyx` makes. Needs GCC, Cython and what the tests need:

    python tests/kernels/checked_build.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TESTS = (
    "tests/kernels",
    "tests/properties/test_kernels.py",
    "tests/properties/test_iso_timestamps.py",
)

DIRECTIVES = "language_level=3, boundscheck=True, wraparound=False, initializedcheck=True"
SANITIZERS = "address,undefined"
COMPILER = (
    "-O1 -g -fno-omit-frame-pointer -ffp-contract=off -DPy_LIMITED_API=0x030B0000 "
    f"-fsanitize={SANITIZERS} -fno-sanitize-recover={SANITIZERS}"
)

WHERE = """
import sys
from importlib import import_module
from pathlib import Path
for name in sys.argv[2:]:
    module = import_module(f"cxjourney.kernels.{name}")
    assert Path(module.__file__).is_relative_to(sys.argv[1]), module.__file__
    assert module.__file__.endswith(".so"), module.__file__
"""
OVERRUN = """
import sys
import numpy as np
from cxjourney.kernels import overruns
getattr(overruns, sys.argv[1])(np.zeros(3000, dtype=np.uint8))
"""


def build(tree: Path) -> None:
    """Copy the package and compile its kernels in the copy."""
    shutil.copytree(ROOT / "src", tree, ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    folder = tree / "cxjourney" / "kernels"
    shutil.copy(HERE / "overruns.pyx", folder)
    sources = sorted(folder.glob("*.pyx"))
    for source in sources:
        # a file's own header wins over the command line, whatever Cython's documentation says
        text, n = re.subn(r"(?m)^# cython:.*$", "#", source.read_text(encoding="utf-8"))
        assert n, f"{source.name} has no header to replace"
        source.write_text(f"# cython: {DIRECTIVES}, cdivision=False\n{text}", encoding="utf-8")
    built = subprocess.run(
        [sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-q", *sources],
        env={**os.environ, "CFLAGS": COMPILER},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        sys.exit(built.stdout + built.stderr)


def library(name: str) -> str:
    """Return where the compiler has a shared library."""
    found = subprocess.run(
        ["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def watched(tree: Path) -> dict[str, str]:
    """Return the environment in which the copy is imported and watched."""
    return {
        **os.environ,
        "PYTHONPATH": str(tree),
        "CXJOURNEY_KERNELS": "native",
        # the sanitizer must be first; of the C++ library it needs to know what throws
        "LD_PRELOAD": f"{library('libasan.so')} {library('libstdc++.so.6')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # CPython keeps what it holds until it ends
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # every array from the system, so that its end is the end of what may be read
        "PYTHONMALLOC": "malloc",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def must_stop(overrun: str, message: str, environment: dict[str, str]) -> None:
    """Assert that one of the reads beyond an end is noticed."""
    command = [sys.executable, "-c", OVERRUN, overrun]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode != 0, f"nothing stops {overrun}"
    assert message in ran.stderr, ran.stderr


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "src"
        build(tree)
        environment = watched(tree)
        names = [source.stem for source in (ROOT / "src/cxjourney/kernels").glob("*.pyx")]
        subprocess.run([sys.executable, "-c", WHERE, tree, *names], env=environment, check=True)
        must_stop("of_an_index", "IndexError: Out of bounds", environment)
        must_stop("of_a_pointer", "AddressSanitizer: heap-buffer-overflow", environment)
        # pytest must leave standard error alone: a sanitizer writes to it and ends the process
        tests = [sys.executable, "-m", "pytest", "-q", "--capture=sys", *TESTS, *sys.argv[1:]]
        sys.exit(subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
