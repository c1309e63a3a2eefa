"""Interactions and journeys as columns: reading, preparing, outcomes."""

from __future__ import annotations
