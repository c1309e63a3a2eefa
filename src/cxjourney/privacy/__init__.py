"""Privacy: pseudonyms in the place of the ids of customers, from the door on."""

from __future__ import annotations

from cxjourney.privacy._forget import forgetting as forgetting
from cxjourney.privacy._pseudonyms import Kind as Kind
from cxjourney.privacy._pseudonyms import PseudonymKey
from cxjourney.privacy._pseudonyms import check_key as check_key

__all__ = ["PseudonymKey"]


def __dir__() -> list[str]:
    return list(__all__)
