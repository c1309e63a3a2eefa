"""Assert that the archives of a release hold what git holds of the package, and nothing else.

Run as `python .ci/archives.py FOLDER` at the top of a clone; the folder holds one source archive
and one wheel.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

TOP = {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"}
WRITTEN = ("PKG-INFO", "setup.cfg", "src/cxjourney.egg-info/")  # by setuptools, into the source


def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "src"], capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def source_files(archive: Path) -> set[str]:
    """Return the files of a source archive without its top folder, and without what is written."""
    with tarfile.open(archive) as tar:
        names = {entry.name.partition("/")[2] for entry in tar if entry.isfile()}
    return {name for name in names if not name.startswith(WRITTEN)}


def wheel_files(archive: Path) -> set[str]:
    """Return the files of a wheel without its description."""
    with zipfile.ZipFile(archive) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
    return {name for name in names if ".dist-info/" not in name}


def check(archive: Path, found: set[str], expected: set[str]) -> None:
    for name in sorted(expected - found):
        print(f"{archive.name} lacks {name}")
    for name in sorted(found - expected):
        print(f"{archive.name} must not hold {name}")
    if found != expected:
        sys.exit(1)
    print(f"{archive.name}: {len(found)} files, {archive.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    folder = Path(sys.argv[1])
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    package = {name.removeprefix("src/") for name in tracked()}
    compiled = {name.replace(".pyx", ".abi3.so") for name in package if name.endswith(".pyx")}
    check(source, source_files(source), tracked() | TOP)
    check(wheel, wheel_files(wheel), package | compiled)
    if "-cp311-abi3-" not in wheel.name:
        sys.exit(f"{wheel.name} does not serve every Python from 3.11 on")


if __name__ == "__main__":
    main()
