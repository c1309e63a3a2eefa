"""Conversion and engagement."""
