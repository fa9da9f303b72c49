"""Teaches schemathesis the media types of one JSON value a line."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def lines(context, value):
    """The schema describes the lines as an array, as OpenAPI 3.2 does for sequential media types."""
    if isinstance(value, bytes):
        return value
    items = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)
