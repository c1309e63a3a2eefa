"""Statistics that the packages share: intervals, shrinkage, tests, censored transitions."""
