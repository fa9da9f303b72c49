"""Counts the hits of LRU and of the optimum over a trace by libCacheSim, which knows nothing of this
project. A line of the trace is a key; a line of four fields, as in the ARC traces, asks for a run of
blocks. Every object has size 1. Prints a JSON object: hits by the size of the cache.

judge.py TRACE ENTRIES...
"""

import gzip
import json
import sys

from libcachesim import LRU, Belady, Request


def keys(path):
    numbers = {}
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as lines:
        for line in lines:
            fields = line.split()
            if len(fields) == 4:
                names = range(int(fields[0]), int(fields[0]) + int(fields[1]))
            else:
                names = fields[:1]
            for name in names:
                yield numbers.setdefault(name, len(numbers))


def next_uses(trace):
    seen, uses = {}, [0] * len(trace)
    never = 2**62
    for place in range(len(trace) - 1, -1, -1):
        uses[place] = seen.get(trace[place], never)
        seen[trace[place]] = place
    return uses


def hits(cache, trace, uses):
    count = 0
    for place, key in enumerate(trace):
        request = Request(obj_id=key, obj_size=1, next_access_vtime=uses[place])
        request.clock_time = place
        count += cache.get(request)
    return count


def main():
    trace = list(keys(sys.argv[1]))
    uses = next_uses(trace)
    report = {}
    for size in map(int, sys.argv[2:]):
        report[str(size)] = {
            "lru_hits": hits(LRU(cache_size=size), trace, uses),
            "optimum_hits": hits(Belady(cache_size=size), trace, uses),
        }
    print(json.dumps(report))


main()
