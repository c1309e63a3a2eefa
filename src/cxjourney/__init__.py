"""cxjourney: customer-journey modelling with honest uncertainty."""

from __future__ import annotations
