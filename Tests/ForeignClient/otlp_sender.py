"""A stranger's program that logs through OpenTelemetry's own SDK.

otlp_sender.py URL COUNT [gzip]   sends COUNT records to URL/v1/logs

Prints one JSON object: the trace and span id that the records belong to, and how many exports failed.
"""

import json
import logging
import sys

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

failures = 0


class CountingExporter(OTLPLogExporter):
    def export(self, *arguments, **options):
        global failures
        result = super().export(*arguments, **options)
        if result is not LogRecordExportResult.SUCCESS:
            failures += 1
        return result


def main():
    url, count = sys.argv[1], int(sys.argv[2])
    compression = Compression.Gzip if "gzip" in sys.argv[3:] else Compression.NoCompression
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {"service.name": "stranger", "service.version": "4.5", "host.name": "box"}
    )
    provider = LoggerProvider(resource=resource)
    exporter = CountingExporter(endpoint=url + "/v1/logs", compression=compression)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("shop.cart", "0.9")
    tracer = TracerProvider(resource=resource).get_tracer("shop")
    with tracer.start_as_current_span("checkout") as span:
        context = span.get_span_context()
        for number in range(count):
            logger.emit(
                timestamp=1_700_000_000_000_000_000 + number * 1_000_000,
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                body=f"cart is full \u00e9 {number}",
                event_name="cart.full",
                attributes={
                    "number": number,
                    "ratio": 0.5,
                    "paid": True,
                    "items": ["a", "b"],
                    "card": "4111 1111 1111 1111",
                },
            )
    provider.shutdown()
    print(
        json.dumps(
            {
                "trace_id": trace.format_trace_id(context.trace_id),
                "span_id": trace.format_span_id(context.span_id),
                "failures": failures,
            }
        )
    )


main()
