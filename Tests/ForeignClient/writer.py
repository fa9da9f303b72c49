"""A stranger's producer: adds events to Millrace's streams, and what is none among them.

writer.py PORT COUNT SEED   adds COUNT events and, after every fifth, something that is no event

Prints one JSON object: how many of each there were.
"""

import gzip
import json
import random
import sys

import redis

PARTITIONS = 4


def event(number):
    return {
        "specversion": "1.0",
        "id": f"w{number}",
        "type": "foreign.order",
        "source": "/stranger",
        "time": "2026-01-02T03:04:05.678Z",
        "data": {"n": number, "text": "\u00e9\n\u20ac \U0001f600", "list": [1, 2.5, None]},
    }


def without(name):
    return {key: value for key, value in event(-1).items() if key != name}


def bad_entries(rng):
    """Fields of entries that hold no event."""

    def entry(value):
        return {"id": "bad", "type": "foreign.order", "event": value}

    deep = '{"specversion":"1.0","id":"d","type":"t","source":"/s","data":'
    yield entry("no json")
    yield entry(json.dumps(event(-1))[:-20])
    yield entry(json.dumps([event(-1)]))
    yield entry("")
    yield entry('"text"')
    yield entry(json.dumps(without("id")))
    yield entry(json.dumps(without("source")))
    yield entry(json.dumps(without("type")))
    yield entry(json.dumps(event(-1) | {"time": "yesterday"}))
    yield entry(json.dumps(event(-1) | {"type": 7}))
    yield entry(json.dumps(event(-1)) + "," + json.dumps(event(-2)))
    yield entry(deep + "[" * 5000 + "]" * 5000 + "}")
    yield entry(json.dumps(event(-1), ensure_ascii=False).encode("utf-16"))
    yield entry(rng.randbytes(300))
    yield {"id": "bad", "type": "foreign.order"}
    yield {"something": "else"}
    yield {"frame": "no gzip"}
    yield {"frame": gzip.compress(rng.randbytes(200)), "count": "3"}


def main(port, count, seed):
    client = redis.Redis(port=int(port))
    rng = random.Random(int(seed))
    bad = list(bad_entries(rng))
    added = 0
    pipeline = client.pipeline(transaction=False)
    for number in range(int(count)):
        good = event(number)
        key = f"millrace:{{{number % PARTITIONS}}}:events"
        pipeline.xadd(key, {"id": good["id"], "type": good["type"], "event": json.dumps(good)})
        if number % 5 == 4:
            pipeline.xadd(key, bad[added % len(bad)])
            added += 1
    pipeline.execute()
    print(json.dumps({"good": int(count), "bad": added, "kinds": len(bad)}))


main(*sys.argv[1:])
