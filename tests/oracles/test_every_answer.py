"""Every answer of the oracles of paths, funnels and identities is tested, or left out for a reason.

An answer is a leaf of a file: the way to it through names, with # for an item of a list. A pattern
stands for the leaves that it fits, where * is any name or several, and {a,b} is a or b.
"""

from __future__ import annotations

import ast
import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]

# reasons
ABOUT = "it says whence the answers come, what words mean, or that they were computed twice"
GIVEN = "the tests feed it in, or go by it"
OVERLAP = "matches that overlap are never counted, see the page on patterns"

# where tests are
MOVES = "omnichannel/test_transition_columns.py::test_process_miners_count_the_same"
EXTRAS = "log/test_process_extras.py::test_"
CASES = EXTRAS + "cases_their_durations_arrivals_and_overlap"
LASTING = EXTRAS + "service_and_waiting_times"
PAIRS = EXTRAS + "pairs_of_starts_and_completions"
TINY_PAIRS = EXTRAS + "pairing_is_first_in_first_out"
FUNNELS = "oracles/test_funnels.py::test_"
LINKS = "identity/test_links_by_oracle.py::test_"
PATTERNS = "journeys/test_patterns.py::test_"
TINY = PATTERNS + "tiny_paths_match_where_retentioneering_and_its_check_say"
CUTS = PATTERNS + "tiny_paths_are_cut_as_retentioneering_cuts_them"
SHOP = PATTERNS + "a_shop_matches_and_is_cut_as_retentioneering_says"
CENTRED = PATTERNS + "a_shop_is_aligned_as_retentioneering_centres_it"
LOG = "oracles/test_shop.py::test_"
ORDERED = "sequences/test_traminer.py::test_indices_of_ordered_states_of_"

INDICES = (
    "{transn,visited,complexity,volatility,volatility_unadj,volatility_w07,degrad_rank_pow1,"
    "degrad_rank_powF,degrad_tratedss_powF,degrad_one_powF,precarity,precarity_rank,insecurity,"
    "insecurity_spow0,insecurity_bound,badness}"
)

ANSWERS = {
    "process_extras.json": {
        "{source,software,definition/*}": ABOUT,
        "cases/{running_example,receipt,reviewing_complete}/answer/{cases,events}": CASES,
        "cases/*/answer/eventually_follows/{pairs,total}": MOVES,
        "cases/*/answer/eventually_follows/{top12,cases_with_pair_top8}/*": MOVES,
        "cases/*/answer/eventually_follows/own_all_occurrence_pairs_agree": ABOUT,
        "cases/*/answer/{minimum_self_distance,rework_cases}/own_agrees": ABOUT,
        "cases/*/answer/minimum_self_distance/answer/*": MOVES,
        "cases/*/answer/rework_cases/answer/*": EXTRAS + "cases_that_do_something_again",
        "cases/*/answer/temporal_profile/{pairs,std}": MOVES,
        "cases/*/answer/temporal_profile/top10/*/{mean_s,std_s,n}": MOVES,
        "cases/*/answer/temporal_profile/own_disagreements": ABOUT,
        "cases/*/answer/performance_dfg_{calendar,business}/*"
        "/{n,mean,median,max,min,sum,stdev,own_mean,own_median}": MOVES,
        "cases/*/answer/case_overlap/pm4py_{sum,max,min,mean}": CASES,
        "cases/*/answer/case_overlap/own_closed_intervals_incl_self/{sum,max,min,mean}": CASES,
        "cases/*/answer/case_durations/{mean,median,max}": CASES,
        "cases/*/answer/case_arrival_average_s": CASES,
        "cases/{interval_log,reviewing start/complete}/answer/"
        "{rows,cases,negative_service_rows,negative_gap_rows}": LASTING,
        "cases/*/answer/pm4py_service_time_mean_s/*": LASTING,
        "cases/*/answer/{service_time_s,waiting_time_s_by_activity}/*"
        "/{n,sum,mean,median,max}": LASTING,
        "cases/*/answer/waiting_time_vs_latest_end_so_far_s/*/{n,sum,mean,median,max}": LASTING,
        "cases/*/answer/own_agrees_mean": ABOUT,
        "cases/*/answer/performance_dfg_end_to_next_start_s/*"
        "/{n,pm4py_mean,own_mean,own_mean_negatives_set_to_0}": EXTRAS
        + "queues_between_activities",
        "cases/*/answer/per_case/{sum_service,duration,union_of_activity_intervals,"
        "idle_duration_minus_union}/{n,sum,mean,median,max}": (
            EXTRAS + "time_of_cases_that_something_covers"
        ),
        "cases/*/answer/per_case/flow_rate_mean": EXTRAS + "time_of_cases_that_something_covers",
        "cases/*/answer/pairing/"
        "{pairs,pm4py_pairs,starts_never_completed,completes_without_start}": PAIRS,
        "cases/*/answer/pairing/{pm4py_interval_lifecycle_same,differences}": ABOUT,
        "cases/tiny pairing/{input,note}": GIVEN,
        "cases/tiny pairing/answer/{FIFO,LIFO}_durations_min/*/#": TINY_PAIRS,
        "cases/tiny pairing/answer/{sum_is_the_same_60_min_either_way,open/#}": TINY_PAIRS,
    },
    "path_patterns.json": {
        "{source,software,definition/*,input_note}": ABOUT,
        "cases/tiny_paths/*": GIVEN,
        "cases/tiny_patterns/#/call": GIVEN,
        "cases/tiny_patterns/#/matching_paths/#": TINY,
        "cases/tiny_patterns/#/{first,last}_match_positions/*/#": TINY,
        "cases/tiny_patterns/#/non_overlapping_matches/*": TINY,
        "cases/tiny_patterns/#/number_of_valid_matches/*": OVERLAP,
        "cases/tiny_patterns/#/agree_retentioneering_own_regex": ABOUT,
        "cases/tiny_truncation/#/{start,end}": GIVEN,
        "cases/tiny_truncation/#/{start,end}/{pattern,at,occurrence,offset,#}": GIVEN,
        "cases/tiny_truncation/#/answer/*": CUTS,
        "cases/log/file": GIVEN,
        "cases/log/{rows,users,rows_tied_on_user_and_time}": LOG + "the_shop_is_read",
        "cases/log/patterns/#/pattern": GIVEN,
        "cases/log/patterns/#/{users,events_of_those_users,first_5_sorted_as_text/#}": SHOP,
        "cases/log/patterns/#/sha256_16_of_sorted_user_ids_one_per_line": SHOP,
        "cases/log/patterns/#/own_regex_agrees": ABOUT,
        "cases/log/truncation/#/{start,end}": GIVEN,
        "cases/log/truncation/#/{start,end}/{pattern,occurrence,#}": GIVEN,
        "cases/log/truncation/#/{users,events,top_events/*}": SHOP,
        "cases/log/{truncation,centred}/#/own_check": ABOUT,
        "cases/log/centred/#/pattern": GIVEN,
        "cases/log/centred/#/paths": CENTRED,
        "cases/log/centred/#/anchor_at_first_token_first_occurrence/*": CENTRED,
        "cases/log/centred/#/blocks_of_step_matrix_data": CENTRED,
        "cases/log/centred/#/blocks_of_step_matrix_data/#/*": CENTRED,
        "cases/log/sessions/#/call": GIVEN,
        "cases/log/sessions/#/answer/{rows_kept,rows_in_a_session,sessions,users_with_a_session,"
        "max_sessions_per_user}": LOG + "sessions_of_the_shop",
        "cases/log/sessions/#/own/{including_events_before_first_separator,"
        "only_after_a_separator,events_before_first,events_after}": LOG + "sessions_of_the_shop",
        "cases/log/sessions/#/own_sessions": LOG + "sessions_of_the_shop",
        "cases/log/collapse/#/call": GIVEN,
        "cases/log/collapse/#/{rows,own,counts/*,delivery}": LOG + "repeats_of_the_shop",
        "cases/log/daily_states/#/{users,max_dormant_days,active_events,active_events/#}": GIVEN,
        "cases/log/daily_states/#/{rows,counts/*}": LOG + "daily_states_of_the_shop",
        "cases/log/daily_states/#/own_agrees": ABOUT,
    },
    "sequence_indicators.json": {
        "{source,software,max_difference_own/*,definition/*}": ABOUT,
        "cases/*/{alphabet,order,order/#}": GIVEN,
        "cases/tiny/answer/#/seq": GIVEN,
        "cases/mvad*/first_40_rows/#/id": GIVEN,
        f"cases/tiny/answer/#/{INDICES}": ORDERED + "tiny_sequences",
        f"cases/mvad*/first_40_rows/#/{INDICES}": ORDERED + "mvad",
        f"cases/mvad*/summary/{INDICES}/{{mean,min,max}}": ORDERED + "mvad",
    },
    "identity.json": {
        "{source/*,software,definition/*}": ABOUT,
        "cases/*/#/{name,reasoning}": ABOUT,
        "cases/device_events/#/where_tools_differ": ABOUT,
        "cases/device_events/#/{events,resets}/#/*": GIVEN,
        "cases/link_tables/#/{events,links}/#/*": GIVEN,
        "cases/device_events/#/journeys_by_policy/{no_stitching,connected_components,"
        "last_user_of_device_retroactive,first_user_of_device_retroactive,effective_dated}/*/#": (
            LINKS + "policies_of_other_tools_are_tables_of_links"
        ),
        "cases/device_events/#/recommended": LINKS + "policies_of_other_tools_are_tables_of_links",
        "cases/device_events/#/recommended_journeys/*/#": LINKS + "every_case_of_devices",
        "cases/link_tables/#/journeys": LINKS + "every_case_of_tables_of_links",
        "cases/link_tables/#/journeys/*/#": LINKS + "every_case_of_tables_of_links",
    },
    "funnels.json": {
        "{source,how_to_read}": ABOUT,
        "cases/*/source_file": ABOUT,
        "cases/*/{order,steps/#,window,window/days,exclusions,exclusions/#/*,events/#/#}": GIVEN,
        "cases/*/note": FUNNELS + "times_between_steps",
        "cases/*/consensus": FUNNELS + "where_tools_agree_all_rules_agree",
        "cases/*/{expected_counts/#,expected_users}": FUNNELS + "a_preset_counts_as_its_tool_does",
        "cases/*/expected_users/*/#": FUNNELS + "a_preset_counts_as_its_tool_does",
    },
}
REASONS = {ABOUT, GIVEN, OVERLAP}


def leaves(value: Any, way: str = "") -> Iterator[str]:
    """Yield the way to every leaf; what is empty has none."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{way}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{way}/#")
    else:
        yield way.removeprefix("/")


def spelt_out(pattern: str) -> Iterator[str]:
    """Yield a pattern for each choice in braces."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        yield pattern
        return
    inside, _, after = rest.partition("}")
    for one in inside.split(","):
        yield from spelt_out(before + one + after)


@cache
def read(file: str) -> tuple[set[str], str]:
    """Return the names of the tests of a file, and its text."""
    text = (TESTS / file).read_text(encoding="utf-8")
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}, text


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_has_a_test_or_a_reason(shared, name):
    stored = json.loads((shared / "oracles" / name).read_text(encoding="utf-8"))
    cases = stored["cases"]
    if isinstance(cases, list):
        stored["cases"] = {case.pop("name"): case for case in cases}
    ways = set(leaves(stored))
    told = {pattern: list(spelt_out(pattern)) for pattern in ANSWERS[name]}
    fitting = {
        one: {w for w in ways if fnmatchcase(w, one)} for some in told.values() for one in some
    }
    assert not ways - set().union(*fitting.values())
    assert not [pattern for pattern, some in told.items() if not any(fitting[one] for one in some)]
    tested = [p for p, where in ANSWERS[name].items() if where not in REASONS]
    assert not [one for pattern in tested for one in told[pattern] if not fitting[one]]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_test_is_there_and_looks_at_its_answers(name):
    for pattern, where in ANSWERS[name].items():
        if where in REASONS:
            continue
        file, _, test = where.partition("::")
        names, text = read(file)
        assert test in names, where
        for one in spelt_out(pattern):
            *_, last = [part for part in one.split("/") if part not in {"*", "#"}]
            rest = last.partition("_")[2] or last  # a test may choose the first word
            assert last in text or rest in text, one
