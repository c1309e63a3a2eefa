"""Timestamps, zones, calendars and business hours."""
