"""Three calls with a client that openapi-python-client has made of openapi.yaml."""

import datetime
import sys

from millrace_client import Client
from millrace_client.api.events import get_events, post_events
from millrace_client.api.operation import get_health
from millrace_client.api.query import get_query, post_query
from millrace_client.models import Event, PostEventsAck, Question

client = Client(base_url=sys.argv[1], timeout=60)

health = get_health.sync(client=client)
assert health.status == "ok", health


def event(kind, **data):
    made = Event(type_=kind)
    made.additional_properties.update(data)
    return made


receipt = post_events.sync(
    client=client,
    body=[event("order,paid", total=2, shop="a"), event("order,paid", total=3, shop="b"),
          event("signup")],
    ack=PostEventsAck.STORED,
)
assert (receipt.accepted, receipt.rejected) == (3, 0), receipt

answer = get_query.sync(
    client=client, metric=["count", "sum:total"], event=["order,paid"], where=["total:ge:2"])
assert answer.rows == [[2, 5]], answer

answer = get_query.sync(
    client=client, metric=["count"], event=["order,paid"], group_by=["shop"], order=["-shop"],
    from_=datetime.date(1971, 1, 1))
assert answer.rows == [["b", 1], ["a", 1]], answer

answer = post_query.sync(client=client, body=Question.from_dict(
    {"metric": ["count"], "where": [{"field": "type", "op": "in", "value": ["order,paid"]}]}))
assert answer.rows == [[2]], answer

page = get_events.sync(client=client, limit=2)
assert len(page.events) == 2 and page.next_, page
print("ok")
