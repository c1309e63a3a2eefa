"""Patterns once more: by Python's `re`, one character an interaction, and by trying every way.

Nothing here is taken from the library but what is compared. `python patterns.py N SEED` compares N
pairs of a path and a pattern.
"""

from __future__ import annotations

import random
import re
import sys

import numpy as np
import pandas as pd

import cxjourney as cx
from cxjourney.journeys import matches_of

NAMES = "abcd"
HOUR = 3_600_000_000


def symbol(rng: random.Random) -> tuple[str, str]:
    """Return a kind of interaction as a pattern says it, and as `re` does."""
    kind = rng.randrange(5)
    some = sorted(rng.sample(NAMES, rng.randint(1, 2)))
    if kind == 0:
        return ".", "."
    if kind == 1:
        return f"[^{'|'.join(some)}]", f"[^{''.join(some)}]"
    if kind == 2:
        return f"[{'|'.join(some)}]", f"[{''.join(some)}]"
    return some[0], some[0]


def part(rng: random.Random, depth: int, *, must: bool) -> tuple[str, str, str]:
    """Return a part as a pattern, as a lazy expression, and as a greedy one.

    The greedy one takes the branches of a group from the last on. A part that `must` asks for
    something.
    """
    if depth and rng.random() < 0.2:
        branches = [sequence(rng, depth - 1) for _ in range(rng.randint(1, 2))]
        ours = f"({' | '.join(one for one, _, _ in branches)})"
        lazy = f"(?:{'|'.join(one for _, one, _ in branches)})"
        greedy = f"(?:{'|'.join(one for _, _, one in reversed(branches))})"
    else:
        ours, lazy = symbol(rng)
        greedy = lazy
    times = ["", "", "", "+", "{2}", "{1,3}", "{2,}"] if must else ["", "*", "*", "?", "{0,2}"]
    chosen = rng.choice(times)
    return ours + chosen, lazy + (f"{chosen}?" if chosen else ""), greedy + chosen


def sequence(rng: random.Random, depth: int) -> tuple[str, str, str]:
    """Return parts in a row, of which the first and the last ask for something."""
    n = rng.randint(1, 4)
    parts = [part(rng, depth, must=i in {0, n - 1}) for i in range(n)]
    ours, lazy, greedy = zip(*parts, strict=True)
    return " -> ".join(ours), "".join(lazy), "".join(greedy)


def pattern(rng: random.Random) -> tuple[str, str, str]:
    """Return a pattern, and the same as expressions."""
    ours, lazy, greedy = sequence(rng, 2)
    if rng.random() < 0.2:
        ours, lazy, greedy = f"^ -> {ours}", rf"\A{lazy}", rf"\A{greedy}"
    if rng.random() < 0.2:
        ours, lazy, greedy = f"{ours} -> $", rf"{lazy}\Z", rf"{greedy}\Z"
    return ours, lazy, greedy


def compare(n: int, seed: int, paths: int = 40) -> int:
    """Compare n pairs; return in how many the pattern matched."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    matched = 0
    for _ in range(-(-n // paths)):
        texts = ["".join(rng.choices(NAMES, k=rng.randint(1, 9))) for _ in range(paths)]
        journeys = cx.Journeys.from_paths(
            [*map(list, texts), list(NAMES)], dropped=[1] * (paths + 1)
        )
        ours, lazy, greedy = pattern(rng)
        for occurrence, expression in (("first", lazy), ("last", greedy)):
            found = matches_of(journeys, cx.Pattern(ours), rows="ends", occurrence=occurrence)
            compiled = re.compile(expression)
            for i, text in enumerate(texts):
                order = range(len(text))
                starts = order if occurrence == "first" else reversed(order)
                hit = next(filter(None, (compiled.match(text, at) for at in starts)), None)
                span = (-1, -1) if hit is None else (hit.start(), hit.end() - 1)
                begin = journeys.offsets[i]
                rows = [int(row - begin) if row >= 0 else -1 for row in found.row[:2, i]]
                assert bool(found.found[i]) == (hit is not None), (ours, text)
                assert tuple(rows) == span, (ours, text, occurrence, rows, span)
                matched += hit is not None
        place = matches_of(journeys, cx.Pattern(ours), rows="every").place
        for i, text in enumerate(texts):
            points = np.flatnonzero(place[slice(*journeys.offsets[i : i + 2])] >= 0).tolist()
            assert points == [hit.end() - 1 for hit in re.finditer(lazy, text)], (ours, text)
    return matched // 2


def simple(rng: random.Random) -> tuple[str, list[tuple[str, str | None, int, int]], int, int]:
    """Return a pattern with gaps, and what it asks for: kind, run before it, least, longest."""
    asked = []
    texts = []
    run_with_gap = False
    for i in range(rng.randint(2, 4)):
        ours, theirs = symbol(rng)
        run, least, longest = None, 0, 1 << 60
        if i and rng.random() < 0.6:
            kept, run = symbol(rng)
            texts.append(f"{kept}*")
        if i and rng.random() < 0.6:
            run_with_gap |= run is not None
            conditions = []
            if rng.random() < 0.6:
                least = rng.randint(0, 3)
                conditions += [f"gap>={least}h"] * (least > 0)
            if rng.random() < 0.7:
                longest = rng.randint(1, 6)
                conditions.append(f"gap<={longest}h")
            ours += f"({', '.join(conditions)})" if conditions else ""
        texts.append(ours)
        asked.append((theirs, run, least, longest))
    least, longest = 0, 1 << 60
    text = " -> ".join(texts)
    if not run_with_gap and rng.random() < 0.4:
        if rng.random() < 0.5:
            least = rng.randint(1, 6)
            text += f" where duration>={least}h"
        else:
            longest = rng.randint(1, 6)
            text += f" where duration<={longest}h"
    return text, asked, least, longest


def every_way(text: str, hours: list[int], asked, least: int, longest: int) -> list[list[int]]:
    """Return all valid positions of the parts."""
    ways = [[i] for i in range(len(text)) if re.fullmatch(asked[0][0], text[i])]
    for kind, run, soon, late in asked[1:]:
        longer = []
        for way in ways:
            for j in range(way[-1] + 1, len(text)):
                between = text[way[-1] + 1 : j]
                if between and (run is None or not re.fullmatch(f"{run}*", between)):
                    break
                if re.fullmatch(kind, text[j]) and soon <= hours[j] - hours[way[-1]] <= late:
                    longer.append([*way, j])
        ways = longer
    return [way for way in ways if least <= hours[way[-1]] - hours[way[0]] <= longest]


def compare_times(n: int, seed: int, paths: int = 40) -> int:
    """Compare n pairs of a path with times and a pattern with gaps; return how many matched."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    matched = 0
    for _ in range(-(-n // paths)):
        texts = ["".join(rng.choices(NAMES, k=rng.randint(1, 9))) for _ in range(paths)]
        times = [sorted(rng.choices(range(9), k=len(text))) for text in texts]
        rows = [
            (f"{i:03}", name, np.datetime64("2026-01-01") + np.timedelta64(hour, "h"))
            for i, (text, hours) in enumerate(zip([*texts, NAMES], [*times, range(4)], strict=True))
            for name, hour in zip(text, hours, strict=True)
        ]
        names = ("customer", "touchpoint", "timestamp")
        frame = pd.DataFrame(dict(zip(names, zip(*rows, strict=True), strict=True)))
        log = cx.InteractionLog.from_frame(frame, **{name: name for name in names}, tz="UTC")
        journeys = log.journeys()
        ours, *asked = simple(rng)
        wanted = cx.Pattern(ours)
        ways = [every_way(t, h, *asked) for t, h in zip(texts, times, strict=True)]
        for occurrence, best in (("first", np.min), ("last", np.max)):
            found = matches_of(journeys, wanted, rows="all", occurrence=occurrence)
            for i, way in enumerate(ways):
                assert bool(found.found[i]) == bool(way), (ours, texts[i], times[i])
                if way:
                    begin, end = journeys.offsets[i : i + 2]
                    places = found.place[begin:end].tolist()
                    runs = [part.run for part in wanted.plan.places]
                    at = [row for row, p in enumerate(places) if p >= 0 and not runs[p]]
                    assert at == best(way, axis=0).tolist(), (ours, texts[i], times[i], occurrence)
                    matched += 1
    return matched // 2


if __name__ == "__main__":
    number, seed = int(sys.argv[1]), int(sys.argv[2])
    print(compare(number, seed), "of", number, "match;", end=" ")
    print(compare_times(number, seed), "of", number, "with times")
