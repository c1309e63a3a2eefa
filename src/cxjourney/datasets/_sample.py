"""Simulated log, with the truths that are planted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.validation import check_flag
from cxjourney.datasets import _retailer as retailer
from cxjourney.datasets._answers import draw_answers
from cxjourney.datasets._chain import CHANNELS, PLACES, STAGES, build_chain
from cxjourney.datasets._simulation import Contacts, People, draw_people, walk
from cxjourney.datasets._truths import Truths, compute_truths
from cxjourney.exceptions import InvalidValue
from cxjourney.log import Coded, Columns, Intake, InteractionLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

_LARGEST = 10_000_000


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Sample:
    """A simulated log and what is planted in it.

    Attributes
    ----------
    log
        All interactions; observed for the year 2025.
    truths
        The sizes that an analysis of the log should find.
    """

    log: InteractionLog
    truths: Truths

    def journeys(self) -> Journeys:
        """Return the journeys to the goal, at the inactivity limit that the truths are for."""
        return self.log.journeys(goal=self.truths.goal, inactivity=self.truths.inactivity)

    def frame(self, backend: str | None = None) -> Any:
        """Return the interactions as a data frame.

        The type depends on what is installed, hence Any.

        Parameters
        ----------
        backend
            "pandas", "polars" or "pyarrow"; None takes pandas, else polars.

        Raises
        ------
        MissingDependency
            If no data-frame library is installed.
        """
        return self.log.to_frame(backend)

    def __repr__(self) -> str:
        return f"{self.log!r}\n{self.truths!r}"


def sample(
    *,
    seed: int = 0,
    customers: int = 5_000,
    handoff: bool = True,
    critical: bool = True,
    segment: bool = True,
    even: bool = False,
) -> Sample:
    """Simulate a year of an omnichannel retailer.

    Customers come through ads, search, social media, newsletters or the shop window, look around
    on the web, in the app and in stores, order (or not), wait for their parcel, need support and
    recommend: 42 touchpoints in 12 channels and five stages, with scores, expectations, emotions,
    order values in euro, durations, support issues, owners, ties, and journeys that are still in
    progress when the year ends. Customers differ in how easily they leave; where they come from
    shifts over the year.

    Parameters
    ----------
    seed
        Not negative; the same seed gives the same sample.
    customers
        Number of customers, at least 1. The default gives some 108,000 interactions.
    handoff
        Whether customers who come from the app to the web leave more often (10 points per visit).
    critical
        Whether "store advice" and "payment" lose more than the other touchpoints of their stages
        (8 points per visit).
    segment
        Whether students, a fifth of all customers, leave the cart more often (8 points per visit).
    even
        Whether touchpoints of one stage are left equally often, and customers come from the same
        places all year. Together with the other three at False nothing is wrong anywhere.

    Returns
    -------
    Sample
        The log and its truths.

    Raises
    ------
    InvalidValue
        If `seed` or `customers` is out of range.

    Notes
    -----
    The declared model stands in `cxjourney.datasets._retailer`, and the page "The sample" says what
    it is for and what it is not. A customer's exit chance is the touchpoint's times 2 B with
    B ~ Beta(12, 12); all else being a Markov chain, the truths are computed exactly. It is a
    simulation: no real shop is like it.

    Examples
    --------
    >>> from cxjourney.datasets import sample
    >>> example = sample(seed=1, customers=200)
    >>> example.log.n_customers, len(example.log.channels)
    (200, 12)
    >>> example.truths.handoff.from_channel, example.truths.handoff.to_channel
    ('app', 'web')
    """
    check_flag(handoff, "handoff")
    check_flag(critical, "critical")
    check_flag(segment, "segment")
    check_flag(even, "even")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InvalidValue.of("seed", "be an int of at least 0", seed)
    whole = isinstance(customers, (int, np.integer)) and not isinstance(customers, bool)
    if not whole or not 1 <= customers <= _LARGEST:
        raise InvalidValue.of("customers", f"be an int from 1 to {_LARGEST:,}", customers)
    chain = build_chain(handoff=handoff, critical=critical, segment=segment, even=even)
    # Streams of their own: what is drawn later, or switched off, does not change who is there.
    for_people, for_walk, for_answers = np.random.default_rng(seed).spawn(3)
    people = draw_people(int(customers), for_people)
    contacts = walk(chain, people, for_walk)
    answers = draw_answers(chain, people, contacts, for_answers)
    return Sample(
        log=_log(people, contacts, answers),
        truths=compute_truths(chain, handoff=handoff, critical=critical, segment=segment),
    )


def _log(
    people: People, contacts: Contacts, answers: dict[str, NDArray[np.float64]]
) -> InteractionLog:
    """Return the log of contacts, which are in its order already."""
    size = len(people.frailty)
    places = list(retailer.PLACES.values())
    stage = [STAGES.index(place.stage) for place in places] + [STAGES.index("purchase")]
    owners = tuple(dict.fromkeys(place.owner for place in places))
    owner = [owners.index(place.owner) for place in places] + [-1]
    counts = np.bincount(contacts.customer, minlength=size)
    columns = Columns(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        time=_read_only(contacts.time_s * 1_000_000),
        coded={
            "touchpoint": _coded(contacts.place, PLACES),
            "channel": _coded(contacts.channel, CHANNELS),
            "stage": _coded(np.array(stage)[contacts.place], STAGES),
            "owner": _coded(np.array(owner)[contacts.place], owners),
            "issue": _issues(contacts),
        },
        numeric={name: _read_only(values) for name, values in answers.items()},
    )
    width = max(5, len(str(size)))
    return InteractionLog(
        columns=columns,
        customer_ids=tuple(f"C{number:0{width}d}" for number in range(1, size + 1)),
        customer_attributes={
            "age": _values(people.age),
            "member": _values(people.member),
            "region": _coded(people.region, tuple(retailer.REGIONS)),
            "segment": _coded(people.segment, tuple(retailer.SEGMENTS)),
        },
        currency=retailer.CURRENCY,
        observed_until_us=round(retailer.OBSERVED_UNTIL.timestamp()) * 1_000_000,
        intake=Intake(rows=len(columns)),
    )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _coded(codes: NDArray[np.int64], names: Sequence[str]) -> Coded:
    """Return codes into the sorted names, without names that do not occur."""
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names) + 1, dtype=np.int16)
    place[order] = np.arange(len(names))
    place[-1] = -1
    return Coded(_read_only(place[codes]), tuple(names[k] for k in order)).compacted()


def _values(values: NDArray[Any]) -> Coded:
    distinct, codes = np.unique(values, return_inverse=True)
    return Coded(_read_only(codes), tuple(distinct.tolist()))


def _issues(contacts: Contacts) -> Coded:
    """Return the issues of all customers, numbered through."""
    key = contacts.customer << 32 | contacts.issue
    about = contacts.issue > 0
    distinct, codes = np.unique(key[about], return_inverse=True)
    column = np.full(len(key), -1, dtype=np.int32)
    column[about] = codes
    return Coded(_read_only(column), tuple(f"I{k:06d}" for k in range(1, len(distinct) + 1)))
