"""Figures by period."""
