"""Survey metrics: scores, NPS, response."""
