"""Cross-products by group of customers: regressions, and what they are without each group."""

from __future__ import annotations

import attrs
import numpy as np

from cxjourney._support.array_types import Floats, Ints
from cxjourney.critical._importance import explained

__all__ = ["Moments", "Partial"]

GROUPS = 40


@attrs.frozen(kw_only=True, eq=False)
class Partial:
    """Covariances of predictors, noise and outcome with the controls taken out."""

    covariance: Floats
    total: float
    controls_r2: float

    def scaled(self, p: int, *, extra: int | None = None) -> tuple[Floats, Floats, float]:
        """Return covariances of the predictors, with the outcome, and of the outcome as a whole."""
        noise = [] if extra is None else [p + extra]
        chosen = np.array([*range(p), *noise])
        return self.covariance[np.ix_(chosen, chosen)], self.covariance[chosen, -1], self.total

    def fit(self, p: int) -> tuple[float, Floats, Floats]:
        """Return R², what it loses without each predictor, and the slopes."""
        covariance, with_y, total = self.scaled(p)
        r2 = explained(covariance, with_y, total)
        inverse = np.linalg.pinv(covariance, hermitian=True)
        slopes = inverse @ with_y
        if total > 0 and np.linalg.matrix_rank(covariance, hermitian=True) == p:
            return r2, slopes**2 / np.diag(inverse) / total, slopes
        unique = np.zeros(p)  # predictors that determine one another: leave each out in turn
        for i in range(p):
            others = np.delete(np.arange(p), i)
            rest = explained(covariance[np.ix_(others, others)], with_y[others], total)
            unique[i] = max(r2 - rest, 0.0)
        return r2, unique, slopes


@attrs.frozen(kw_only=True, eq=False)
class Moments:
    """Cross-products by group of customers: all that regressions need.

    Attributes
    ----------
    products
        Of controls, predictors, noise and outcome, shape (groups, q, q).
    n_controls
        How many of the q are controls, the constant first.
    """

    products: Floats
    n_controls: int

    @property
    def n_groups(self) -> int:
        """Number of groups of customers."""
        return len(self.products)

    @classmethod
    def of(
        cls,
        x: Floats,
        controls: Floats,
        y: Floats,
        noise: Floats,
        *,
        customer: Ints,
        rng: np.random.Generator,
    ) -> Moments:
        """Return the cross-products of rows whose customers are dealt out to groups at random."""
        every = np.column_stack([controls, x, noise, y])
        people, place = np.unique(customer, return_inverse=True)
        groups = min(GROUPS, len(people))
        dealt = rng.permutation(np.arange(len(people)) % groups)[place]
        products = np.stack([every[dealt == g].T @ every[dealt == g] for g in range(groups)])
        return cls(products=products, n_controls=controls.shape[1])

    def partial(self, without: int | None) -> Partial:
        """Return the covariances with the controls taken out, leaving out one group or none."""
        c = self.n_controls
        whole = self.products.sum(axis=0)
        if without is not None:
            whole = whole - self.products[without]
        inner = np.linalg.pinv(whole[:c, :c], hermitian=True)
        rest = whole[c:, c:] - whole[c:, :c] @ inner @ whole[:c, c:]
        n = whole[0, 0]
        total = whole[-1, -1] - whole[-1, 0] ** 2 / n
        share = 1 - rest[-1, -1] / total if total > 0 else 0.0
        return Partial(
            covariance=rest / n, total=float(total / n), controls_r2=float(max(share, 0.0))
        )
