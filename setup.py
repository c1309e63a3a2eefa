"""How the compiled kernels are built; everything else stands in pyproject.toml."""

from __future__ import annotations

import sys
import sysconfig

from setuptools import Extension, setup

# One build serves every CPython from 3.11 on, the first with buffers in its stable ABI. What has no
# global interpreter lock has no stable ABI yet: its build serves one version, as on other Pythons.
STABLE = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[
        Extension(
            f"cxjourney.kernels.{name}",
            [f"src/cxjourney/kernels/{name}.pyx"],
            depends=["src/cxjourney/kernels/iso_timestamp.pxd"],  # also: part of the source archive
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE else [],
            py_limited_api=STABLE,
            # debug information would be most of the wheel; fused sums would round unlike NumPy's
            extra_compile_args=["-O3", "-g0", "-ffp-contract=off"],
            optional=True,  # no compiler: NumPy runs; an error in the Cython source still fails
        )
        for name in (
            "_native",
            "_native_funnel",
            "_native_groups",
            "_native_ids",
            "_native_patterns",
            "_native_sequences",
            "_native_strings",
            "_native_visits",
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE else {},
)
