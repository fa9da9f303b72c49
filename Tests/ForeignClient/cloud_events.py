"""Sends events with the CloudEvents SDK for Python, and takes in what the service sends out.

cloud_events.py send URL      posts every sample in each mode
cloud_events.py accept FILE   judges the events of a file: one JSON text a line, each an event, an
                              array of events or a page of GET /events

The SDK checks names, types and required attributes. What it leaves unchecked is checked here: a
source is a URI reference (RFC 3986, appendix A), and an integer has 32 bits.
"""

import datetime
import json
import re
import sys
import urllib.request

from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2026, 11, 1, 12, 30, 15, 250000, tzinfo=UTC)


def sample(name, data=None, **attributes):
    given = {"id": name, "source": "/checkout", "type": "com.example.order", "time": MOMENT}
    given.update(attributes)
    return CloudEvent({key: value for key, value in given.items() if value is not None}, data)


SAMPLES = [
    sample("plain", {"total": 12.5, "items": ["a", "b"]}),
    sample("empty"),
    sample("extensions", {}, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01", flag=True,
           off=False, partitionkey="k 1", number=2147483647, least=-2147483648),
    sample("offset", {}, time=datetime.datetime(
        2026, 11, 1, 1, 2, 3, 4000, tzinfo=datetime.timezone(datetime.timedelta(hours=5.5)))),
    sample("whole second", {}, time=datetime.datetime(2026, 11, 1, tzinfo=UTC)),
    sample("bytes", b"\x00\xff\x80 no text", datacontenttype="application/octet-stream"),
    sample("text", "a \u20ac", datacontenttype="text/plain", subject="caf\u00e9 \U0001f600"),
    sample("schema", {}, dataschema="https://example.com/order.json",
           datacontenttype="application/json"),
    sample("urn", {}, source="urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
    sample("mail", {}, source="mailto:cncf-wg-serverless@lists.cncf.io"),
    sample("url", {}, source="https://[2001:db8::1]:8443/a/b%20c?q=1#part"),
    sample("name", {}, source="web-1"),
    sample("relative", {}, source="1-555-123-4567/a:b"),
]

UNRESERVED = r"[A-Za-z0-9\-._~]"
ESCAPE = r"%[0-9A-Fa-f]{2}"
DELIMITER = r"[!$&'()*+,;=]"
PCHAR = rf"(?:{UNRESERVED}|{ESCAPE}|{DELIMITER}|[:@])"
HEX16 = r"[0-9A-Fa-f]{1,4}"
IP_LITERAL = rf"\[(?:{HEX16}|::?)+\]"
REG_NAME = rf"(?:{UNRESERVED}|{ESCAPE}|{DELIMITER})*"
USER = rf"(?:{UNRESERVED}|{ESCAPE}|{DELIMITER}|:)*@"
AUTHORITY = rf"(?:{USER})?(?:{IP_LITERAL}|{REG_NAME})(?::[0-9]*)?"
ABEMPTY = rf"(?:/{PCHAR}*)*"
ABSOLUTE = rf"/(?:{PCHAR}+{ABEMPTY})?"
ROOTLESS = rf"{PCHAR}+{ABEMPTY}"
NO_SCHEME = rf"(?:{UNRESERVED}|{ESCAPE}|{DELIMITER}|@)+{ABEMPTY}"
TAIL = rf"(?:\?(?:{PCHAR}|[/?])*)?(?:#(?:{PCHAR}|[/?])*)?"
URI = rf"[A-Za-z][A-Za-z0-9+\-.]*:(?://{AUTHORITY}{ABEMPTY}|{ABSOLUTE}|{ROOTLESS}|){TAIL}"
RELATIVE = rf"(?://{AUTHORITY}{ABEMPTY}|{ABSOLUTE}|{NO_SCHEME}|){TAIL}"
URI_REFERENCE = re.compile(rf"(?:{URI}|{RELATIVE})")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def post(url, headers, body):
    # Without a type urllib sends that of a form, and the SDK sends none with JSON.
    headers = {"content-type": "application/json"} | {k.lower(): v for k, v in headers.items()}
    request = urllib.request.Request(url + "/events?ack=stored", body, headers)
    receipt = json.load(urllib.request.urlopen(request, timeout=60))
    assert receipt["rejected"] == 0, receipt
    return receipt["accepted"]


def renamed(event, mode):
    attributes = dict(event.get_attributes(), id=f"{mode} {event.get_id()}")
    return CloudEvent(attributes, event.get_data())


def send(url):
    count = 0
    for event in SAMPLES:
        for mode, write in [("s", http.to_structured_event), ("b", http.to_binary_event)]:
            message = write(renamed(event, mode))
            count += post(url, message.headers, message.body)
    batch = [json.loads(JSONFormat().write(renamed(event, "a"))) for event in SAMPLES]
    kind = "application/cloudevents-batch+json"
    count += post(url, {"content-type": kind}, json.dumps(batch).encode())
    return {"sent": count}


def events(text):
    value = json.loads(text)
    if isinstance(value, list):
        return value
    return value["events"] if "events" in value else [value]


def check_sample(event):
    """What came from here comes back as it was."""
    mode, _, name = event.get_id().partition(" ")
    sent = next((one for one in SAMPLES if one.get_id() == name), None)
    if sent is None or mode not in "sba":
        return
    assert event.get_data() == sent.get_data(), (event.get_id(), event.get_data())
    for key, value in sent.get_attributes().items():
        got = event.get_attributes()[key]
        # Headers know only text.
        if mode == "b" and not isinstance(value, (str, datetime.datetime)):
            value = str(value)
        assert key == "id" or got == value, (event.get_id(), key, got)


def accept(path):
    sources = set()
    count = 0
    for line in open(path, encoding="utf-8"):
        for raw in events(line):
            event = JSONFormat().read(None, json.dumps(raw))
            assert URI_REFERENCE.fullmatch(event.get_source()), raw
            assert RFC_3339.fullmatch(raw["time"]), raw
            for key, value in raw.items():
                assert value is not None, raw
                if type(value) is int and key != "data":
                    assert -2**31 <= value < 2**31, raw
            check_sample(event)
            sources.add(event.get_source())
            count += 1
    return {"accepted": count, "sources": sorted(sources)}


print(json.dumps({"send": send, "accept": accept}[sys.argv[1]](sys.argv[2])))
