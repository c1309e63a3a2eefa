"""Maximum likelihood of positive parameters, by their logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.intervals import normal_quantile
from cxjourney._support.array_types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP = 1e-5
_WIDEST = 4.0
"""Standard error of a logarithm from which a parameter is not told from 0 or infinity: its 95 %
interval reaches from 1/2,500 to 2,500 times its value."""


@attrs.frozen(kw_only=True, eq=False)
class Fit:
    """Parameters at the maximum, the log-likelihood there, standard errors of the logarithms.

    `converged` says that it is a maximum inside, told from 0 and infinity in every parameter.
    """

    parameters: Floats
    value: float
    errors: Floats
    converged: bool

    @staticmethod
    def band(values: Floats, errors: Floats, level: float) -> tuple[Floats, Floats]:
        """Return intervals that are symmetric in the logarithm."""
        with np.errstate(over="ignore"):
            reach = np.exp(normal_quantile(level) * errors)
        return values / reach, values * reach


UNCONVERGED = (
    "The fit did not reach a maximum at which the data tell all parameters from 0 and infinity: do "
    "not use it."
)


def maximise(likelihood: Callable[[Floats], tuple[float, Floats]], *, start: Floats) -> Fit:
    """Climb from `start` (logarithms) with the gradient; errors from its differences."""
    from scipy.optimize import minimize

    def downhill(log_parameters: Floats) -> tuple[float, Floats]:
        value, gradient = likelihood(log_parameters)
        return -value, -gradient

    # parameters beyond e^±12 mean that the data do not tell them from 0 or infinity
    found = minimize(
        downhill,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-12.0, 12.0)] * len(start),
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-8, "maxcor": 20},
    )
    at = np.asarray(found.x, dtype=np.float64)
    value, gradient = likelihood(at)
    inside = bool(np.all(np.abs(at) < 12.0))
    curvature = np.empty((len(at), len(at)))
    for i in range(len(at)):
        step = np.zeros(len(at))
        step[i] = _STEP
        curvature[i] = (likelihood(at - step)[1] - likelihood(at + step)[1]) / (2 * _STEP)
    curvature = (curvature + curvature.T) / 2
    errors = np.full(len(at), np.nan)
    spread = np.linalg.eigvalsh(curvature)
    if inside and spread[0] > 1e-10 * spread[-1]:
        errors = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return Fit(
        parameters=np.exp(at),
        value=value,
        errors=errors,
        converged=bool(
            (errors < _WIDEST).all() and np.abs(gradient).max() < 1e-5 * (1 + abs(value))
        ),
    )
