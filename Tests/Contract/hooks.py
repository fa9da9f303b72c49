"""Teaches schemathesis what this service's media types add to JSON."""

import json

import schemathesis


def whole(value):
    """JSON Schema takes 1.0 for an integer; the integers of CloudEvents have no fraction at all."""
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


@schemathesis.hook
def map_body(context, body):
    return whole(body)


@schemathesis.serializer("application/x-protobuf")
def raw(context, value):
    """Bytes that are no message are as good as any for what the schema says of them."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.serializer(
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/x-json-stream",
)
def lines(context, value):
    """The schema describes the lines as an array, as OpenAPI 3.2 does for sequential media types."""
    if isinstance(value, bytes):
        return value
    items = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)
