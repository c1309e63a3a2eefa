"""Transitions of a graph as the columns of its chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.validation import check_choice
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import (
    NotAbsorbing,
    NotAFlow,
    OutcomeUndetermined,
    TrappedClass,
)
from cxjourney.graph import check_graph
from cxjourney.markov._solver import sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx
    from numpy.typing import NDArray

_TOLERANCE = 1e-9


def read(graph: nx.DiGraph[str], *, trapped: str) -> dict[str, Any]:
    """Return the fields of the chain of a graph; see `AbsorbingChain.from_graph`."""
    check_choice(trapped, "trapped", ("error", "censored"))
    check_graph(graph)
    facts = graph.graph
    if facts.get("drawing", False):
        raise NotAFlow("the graph was filtered for drawing; compute on the whole graph")
    check_kind(absorbing=facts.get("absorbing", True), determined=facts.get("determined", True))
    names = tuple(n for n in graph if n not in {START, CONVERSION, DROPOFF})
    code = {name: i for i, name in enumerate((*names, START, CONVERSION, DROPOFF))}
    rows = [
        (code[u], code[v], data)
        for u, v, data in graph.edges(data=True)
        if data.get("probability", 0.0) > 0
    ]
    source = np.array([u for u, _, _ in rows], dtype=np.int64)
    target = np.array([v for _, v, _ in rows], dtype=np.int64)
    probability = np.array([data["probability"] for *_, data in rows], dtype=np.float64)
    mean = np.array([data.get("dwell_mean_s", np.nan) for *_, data in rows], dtype=np.float64)
    square = mean**2 + np.array([_variance(data) for *_, data in rows], dtype=np.float64)
    # a silent end takes no time of its own
    timed = np.array([_timed(data) for *_, data in rows], dtype=np.float64) / probability
    mean, square = mean * timed, square * timed
    visits, censored = (
        np.array([graph.nodes[n].get(key, 0) for n in names], dtype=np.float64)
        for key in ("visits", "censored")
    )
    starts = graph.nodes[START].get("visits", 0) if START in graph else 0
    return chain_columns(
        names,
        source=source,
        target=target,
        probability=probability,
        at_risk=np.append(visits - censored, float(starts)),
        mean=mean,
        square=square,
        unfollowed=unfollowed(graph, names),
        trapped=trapped,
    )


def chain_columns(
    names: tuple[str, ...],
    *,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    probability: NDArray[np.float64],
    at_risk: NDArray[np.float64],
    mean: NDArray[np.float64] | None = None,
    square: NDArray[np.float64] | None = None,
    unfollowed: NDArray[np.float64] | None = None,
    trapped: str = "censored",
) -> dict[str, Any]:
    """Return the fields of the chain of transitions that are possible, with times or without.

    Journeys that come where nothing is known of their end, or where none can end, are censored.
    """
    size, unknown = len(names), np.full(len(source), np.nan)
    mean, square = (unknown if times is None else times for times in (mean, square))
    ending = sums(source, probability, size + 1)
    _check_rows(names, ending, at_risk[:-1])
    silent = np.flatnonzero(ending[:size] == 0)
    nowhere = np.full(silent.size, size + 3)
    closed = trapped_among(
        np.concatenate([source, silent]), np.concatenate([target, nowhere]), size
    )
    if closed.size and trapped == "error":
        raise TrappedClass.of(
            (names[i] for i in closed),
            hint='all other visits there are censored; trapped="censored" counts journeys that '
            "come there as censored",
        )
    stays = np.isin(source, closed)
    lost = np.concatenate([silent, closed])
    nothing = np.zeros(lost.size)
    return {
        "names": names,
        "source": np.concatenate([source[~stays], lost]),
        "target": np.concatenate([target[~stays], np.full(lost.size, size + 3)]),
        "probability": np.concatenate([probability[~stays], nothing + 1]),
        "at_risk": at_risk,
        "unfollowed": np.zeros(size) if unfollowed is None else unfollowed,
        "dwell_mean_s": np.concatenate([mean[~stays], nothing]),
        "dwell_square_s": np.concatenate([square[~stays], nothing]),
    }


def _variance(edge: dict[str, Any]) -> float:
    """Return the variance of the time of an edge [s²], NaN where it is not known."""
    if "dwell_sd_s" in edge:
        return float(edge["dwell_sd_s"]) ** 2
    timed = edge.get("dwell_count", edge.get("count", 0))
    return float(edge.get("dwell_m2", np.nan)) / (timed or np.nan)


def _timed(edge: dict[str, Any]) -> float:
    """Return the probability of the transitions of an edge that have a time."""
    probability = edge["probability"]
    count = edge.get("count", 0)
    share = edge.get("dwell_count", count) / count if count else 1.0
    return float(edge.get("dwell_probability", probability * share))


def unfollowed(graph: nx.DiGraph[str], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the probability that a visit outlasts all that was followed, of each name.

    It is 0 for a name that the graph does not have.
    """
    lost = np.zeros(len(names))
    for i, name in enumerate(names):
        if "followed_us" in graph.nodes.get(name, {}) and graph.has_edge(name, DROPOFF):
            edge = graph.edges[name, DROPOFF]
            lost[i] = edge["probability"] - (_timed(edge) if edge.get("count", 0) else 0.0)
    return lost


def check_kind(*, absorbing: bool, determined: bool) -> None:
    """Raise where the goal of journeys ends none, or where none can be dropped."""
    if not absorbing:
        raise NotAbsorbing(
            'the graph was built with after_goal="keep", so that its goal ends nothing; build it '
            'with after_goal="new_journey" or "discard"'
        )
    if not determined:
        raise OutcomeUndetermined(
            "no journey of the graph can be dropped, so that all that ended have converted; give "
            "goal= and inactivity= to journeys(…) (log.suggest_inactivity() shows what limits "
            "would mean), or exit_touchpoints=, or all_closed=True for closed cases"
        )


def _check_rows(
    names: tuple[str, ...], ending: NDArray[np.float64], at_risk: NDArray[np.float64]
) -> None:
    off = np.abs(ending - 1) > _TOLERANCE
    off[:-1] &= (ending[:-1] > 0) | (at_risk > 0)
    off[-1] &= ending[-1] > 0
    if off.any():
        i = int(np.argmax(off))
        name = (*names, START)[i]
        raise NotAFlow(
            f"probabilities that leave {name!r} sum to {float(ending[i])!r}, not to 1; compute on "
            "the whole graph (a subgraph or a filtered graph is for drawing)",
            node=name,
        )


def trapped_among(
    source: NDArray[np.int64], target: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Return the touchpoints from which no end can be reached, walking back from the ends."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    ends = size + 1
    heads = np.where(target > size, ends, target)
    back = csr_array((np.ones(heads.size), (heads, source)), shape=(size + 2, size + 2))
    reached = breadth_first_order(back, ends, return_predecessors=False)
    return np.setdiff1d(np.arange(size), reached)
