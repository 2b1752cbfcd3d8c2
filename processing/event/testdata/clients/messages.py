"""Writes messages.jsonl. See README.md."""

import io
import json
import pathlib

import confluent_kafka
import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro.schema import fingerprint, to_parsing_canonical_form

HERE = pathlib.Path(__file__).parent
FILES = {
    "events.avsc": HERE / "../../../../schemas/events.avsc",
    "older.avsc": HERE / "older.avsc",
    "newer.avsc": HERE / "newer.avsc",
}
SCHEMAS = {name: json.loads(path.read_text()) for name, path in FILES.items()}
AT = 1_760_000_123_456

EVENTS = {
    "events.avsc": [
        {"eventId": "e-1", "timestamp": AT, "eventType": "PAGE_VIEW", "userId": "u-1", "sessionId": "s-1",
         "pageViewData": {"url": "/tents?q=größe", "title": "Zelte – Größen", "referrer": None, "pageLoadTime": 1287},
         "metadata": {"source": "web", "version": "2.0", "environment": "test"}},
        {"eventId": "e-2", "timestamp": 0, "eventType": "SESSION_START", "userId": None, "sessionId": "",
         "sessionData": {"userAgent": "Mozilla", "ipAddress": "::1", "country": "DE", "city": None, "deviceType": "TABLET",
                         "browser": None, "os": "x" * 200},
         "customData": {"plan": "pro", "": "empty"}, "metadata": {"source": "app"}},
        {"eventId": "e-3", "timestamp": -1, "eventType": "CONVERSION", "userId": "u-1", "sessionId": "s-1",
         "conversionData": {"conversionType": "PURCHASE", "value": 0.1, "currency": "EUR", "productId": None, "category": None},
         "metadata": {"source": "app"}},
    ],
    "older.avsc": [
        {"eventId": "o-1", "timestamp": AT, "eventType": "CONVERSION", "sessionId": "s-2",
         "conversionData": {"currency": "EUR", "value": 49, "conversionType": "PURCHASE"}, "metadata": {"source": "legacy"}},
        {"eventId": "o-2", "timestamp": AT, "eventType": "PAGE_VIEW", "sessionId": "s-2", "conversionData": None,
         "metadata": {"source": "legacy"}},
    ],
    "newer.avsc": [
        {"eventId": "n-1", "tenant": "t", "timestamp": AT, "eventType": "PAGE_VIEW", "sessionId": "s-3", "userId": "u-3",
         "pageViewData": {"url": b"/new", "title": "New", "scroll": [0.5, 1.0], "pageLoadTime": -7},
         "customData": {"plan": b"free"}, "metadata": {"environment": "canary", "source": "web", "host": b"\x7f\x00\x00\x01"}},
        {"eventId": "n-2", "timestamp": AT, "eventType": "SESSION_START", "sessionId": "s-3", "userId": "u-3",
         "sessionData": {"userAgent": "Watch", "ipAddress": "::1", "deviceType": "WATCH", "country": "FR"},
         "customData": {}, "metadata": {"environment": "canary", "source": "web", "host": b"\x7f\x00\x00\x01"}},
        {"eventId": "n-3", "timestamp": AT, "eventType": "REFUND", "sessionId": "s-3", "userId": "u-3",
         "customData": {}, "metadata": {"environment": "canary", "source": "web", "host": b"\x7f\x00\x00\x01"}},
        {"eventId": "n-4", "timestamp": AT, "eventType": "CUSTOM", "sessionId": None, "userId": "u-3",
         "customData": {}, "metadata": {"environment": "canary", "source": "web", "host": b"\x7f\x00\x00\x01"}},
    ],
}


def binary(schema, event):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event)
    return out.getvalue()


def single_object(schema, event):
    # fastavro gives the fingerprint, as the bytes that stand in the value; the framing is the specification's.
    return b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")) + binary(schema, event)


def resolved(schema, value):
    def millis(v):
        if hasattr(v, "timestamp"):
            return round(v.timestamp() * 1000)
        raise TypeError(type(v))

    try:
        event = fastavro.schemaless_reader(io.BytesIO(value), fastavro.parse_schema(schema), fastavro.parse_schema(SCHEMAS["events.avsc"]))
    except Exception:  # it has none of its own for this
        return None
    return json.loads(json.dumps(event, default=millis))


def main():
    ours = f"fastavro {fastavro.__version__}"
    theirs = f"confluent-kafka {confluent_kafka.__version__}"
    registry = SchemaRegistryClient.new_client({"url": "mock://registry"})
    for name, events in EVENTS.items():
        serializer = AvroSerializer(registry, json.dumps(SCHEMAS[name]), conf={"auto.register.schemas": True, "subject.name.strategy": lambda *_: name})
        for event in events:
            expected = resolved(SCHEMAS[name], binary(SCHEMAS[name], event))
            for client, framing, value in (
                (ours, "avro", binary(SCHEMAS[name], event)),
                (ours, "avro-single-object", single_object(SCHEMAS[name], event)),
                (theirs, "avro-confluent", serializer(event, SerializationContext("events", MessageField.VALUE))),
            ):
                print(json.dumps({"client": client, "framing": framing, "schema": name, "value": value.hex(), "event": expected}, ensure_ascii=False))


main()
