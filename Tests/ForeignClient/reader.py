"""A stranger's consumer group: reads Millrace's streams as any Redis client may.

reader.py PORT GROUP create               makes the group in every partition
reader.py PORT GROUP read COUNT FILE      reads COUNT entries and compares them with the events of
                                          a file (one JSON object a line); acknowledges nothing
reader.py PORT GROUP ack PARTITION COUNT  acknowledges the oldest entries that it was given

Prints one JSON object. Written from the documentation alone, and shares nothing with the tests.
"""

import datetime
import json
import sys
import time

import redis

PARTITIONS = 4
ATTRIBUTES = ("id", "type", "source", "subject", "data", "traceid")


def key(partition):
    return f"millrace:{{{partition}}}:events"


def moment(text):
    return datetime.datetime.fromisoformat(text)


def fault(fields, posted):
    """What is wrong with an entry; None if it is what was posted."""
    if not {b"id", b"type", b"event"} <= set(fields):
        return f"fields {sorted(fields)}"
    event = json.loads(fields[b"event"])
    if event.get("specversion") != "1.0":
        return f"specversion {event.get('specversion')!r}"
    if event["id"] != fields[b"id"].decode() or event["type"] != fields[b"type"].decode():
        return "the fields id and type are not those of the event"
    expected = posted.get(event["id"])
    if expected is None:
        return f"nobody posted {event['id']}"
    for name in ATTRIBUTES:
        if event.get(name) != expected.get(name):
            return f"{name} of {event['id']}: {event.get(name)!r}, not {expected.get(name)!r}"
    if moment(event["time"]) != moment(expected["time"]):
        return f"time of {event['id']}: {event['time']}, not {expected['time']}"
    return None


def read(client, group, count, path):
    with open(path, encoding="utf-8") as file:
        posted = {event["id"]: event for event in map(json.loads, file)}
    seen, faults, partitions = set(), [], [0] * PARTITIONS
    total = 0
    deadline = time.monotonic() + 60
    while total < count and time.monotonic() < deadline:
        for partition in range(PARTITIONS):
            streams = {key(partition): ">"}
            for _, entries in client.xreadgroup(group, "stranger", streams, count=100) or []:
                for _, fields in entries:
                    found = fault(fields, posted)
                    if found:
                        faults.append(found)
                    seen.add(fields[b"id"])
                    partitions[partition] += 1
                    total += 1
    return {"read": total, "distinct": len(seen), "faults": faults[:5], "partitions": partitions}


def acknowledge(client, group, partition, count):
    pending = client.xpending_range(key(partition), group, "-", "+", count)
    ids = [entry["message_id"] for entry in pending]
    return {"acknowledged": client.xack(key(partition), group, *ids)}


def main(port, group, command, *rest):
    # The older protocol: with the newer one replies are shaped otherwise.
    client = redis.Redis(port=int(port), protocol=2)
    if command == "create":
        for partition in range(PARTITIONS):
            client.xgroup_create(key(partition), group, id="0", mkstream=True)
        result = {"created": PARTITIONS}
    elif command == "read":
        result = read(client, group, int(rest[0]), rest[1])
    else:
        result = acknowledge(client, group, int(rest[0]), int(rest[1]))
    print(json.dumps(result))


main(*sys.argv[1:])
