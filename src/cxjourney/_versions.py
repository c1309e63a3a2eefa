"""Versions of what is installed, and the kernels that run: paste them into a bug report."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["show_versions"]

CORE = ("attrs", "cattrs", "narwhals", "networkx", "numpy", "scipy")
KERNELS = {"native": "compiled", "reference": "NumPy"}
OPTIONAL = (
    "duckdb",
    "jinja2",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "python-calamine",
    "pyyaml",
    "tqdm",
)


def show_versions() -> None:
    """Print the versions of the library, of Python and of what it stands on, and the kernels.

    Examples
    --------
    >>> import cxjourney as cx
    >>> cx.show_versions()  # doctest: +ELLIPSIS
    cxjourney   ...
    kernels     ...
    python      ...
    """
    from cxjourney import kernels

    rows = {
        "cxjourney": f"{_version('cxjourney')} in {Path(__file__).parent}",
        "kernels": KERNELS[kernels.ACTIVE],
        "python": f"{platform.python_version()} ({platform.platform()})",
        **{package: _version(package) for package in (*CORE, *OPTIONAL)},
    }
    width = max(map(len, rows))
    sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in rows.items()))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
