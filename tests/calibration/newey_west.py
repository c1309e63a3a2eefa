"""Coverage of Newey-West intervals in a segmented regression of a short series. By hand:

    python tests/calibration/newey_west.py [series]

Series of 24, 52 and 104 periods have a change of level in the middle, and errors that are
independent or follow one another (AR(1)). It prints a table of docs/how-to/did-it-work.md: in how
many of the series the 95% interval of the change of level holds the true one, by plain least
squares and with Newey and West's errors of four lags. The test of the page has statsmodels.
"""

from __future__ import annotations

import sys

import numpy as np

LAGS = 4


def design(n: int, at: int) -> np.ndarray:
    """Return constant, time, whether after the change, and time since."""
    t = np.arange(n)
    after = t >= at
    return np.stack([np.ones(n), t + 1, after, (t - at + 1) * after], axis=1).astype(float)


def errors(x: np.ndarray, y: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and standard errors of many series, by Newey and West with lags."""
    bread = np.linalg.inv(x.T @ x)
    beta = y @ x @ bread
    u = (y - beta @ x.T)[:, :, None] * x
    meat = np.einsum("sti,stj->sij", u, u)
    for lag in range(1, lags + 1):
        both = np.einsum("sti,stj->sij", u[:, lag:], u[:, :-lag])
        meat += (1 - lag / (lags + 1)) * (both + both.transpose(0, 2, 1))
    return beta, np.sqrt(np.einsum("ij,sjk,kl->sil", bread, meat, bread).diagonal(axis1=1, axis2=2))


def covered(n: int, memory: float, series: int, seed: int = 0) -> tuple[float, float]:
    """Return the share of series whose interval holds the truth: least squares, Newey-West."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(series, n))
    noise[:, 0] /= np.sqrt(1 - memory**2)
    for t in range(1, n):
        noise[:, t] += memory * noise[:, t - 1]
    x = design(n, n // 2)
    beta, robust = errors(x, noise + 2 * x[:, 2], LAGS)
    left = noise + 2 * x[:, 2] - beta @ x.T
    plain = np.sqrt((left**2).sum(axis=1) / (n - 4) * np.linalg.inv(x.T @ x)[2, 2])
    off = np.abs(beta[:, 2] - 2)
    return float(np.mean(off <= 1.96 * plain)), float(np.mean(off <= 1.96 * robust[:, 2]))


def main() -> None:
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print("| periods | memory of errors | least squares | Newey-West |")
    print("|---|---|---|---|")
    for n in (24, 52, 104):
        for memory in (0.0, 0.3, 0.6):
            plain, robust = covered(n, memory, series)
            print(f"| {n} | {memory:g} | {plain:.2f} | {robust:.2f} |")


if __name__ == "__main__":
    main()
