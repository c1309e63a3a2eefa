"""Service metrics: contacts, resolution, waiting, cost to serve."""
