"""The columns of a file by role: known names, and what the options are for."""

from __future__ import annotations

# Names that say what a column is; a column is taken only where its name is exactly one of these.
KNOWN_NAMES = {
    "customer": (
        "customer",
        "customer_id",
        "client_id",
        "user_id",
        "visitor_id",
        "case_id",
        "case:concept:name",
    ),
    "timestamp": (
        "timestamp",
        "time",
        "datetime",
        "event_time",
        "event_timestamp",
        "time:timestamp",
    ),
    "touchpoint": ("touchpoint", "event", "event_name", "activity", "concept:name"),
    "channel": ("channel",),
    "stage": ("stage",),
    "owner": ("owner",),
}
ANSWERS = {
    "customer": (*KNOWN_NAMES["customer"], "respondent", "respondent_id"),
    "timestamp": (*KNOWN_NAMES["timestamp"], "answered_at", "answered", "submitted_at"),
    "score": ("score", "rating", "nps", "csat", "ces"),
    "touchpoint": ("touchpoint",),
}
NEEDED = ("customer", "timestamp", "touchpoint")
FURTHER = {
    "journey": "an id of the journey, such as a case or a session",
    "seq": "a number that orders interactions of one moment",
    "value": "the value of a conversion",
    "score": "an answer to a survey",
    "emotion": "the emotion, from -1 (unpleasant) to 1 (pleasant)",
    "expectation": "what the customer expected, on the scale of the score",
}
