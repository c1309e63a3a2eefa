"""Survival and cumulative incidence of right-censored durations."""
