"""What schemathesis has to be told: how a batch is written. Any value is one; what is wrong with a line, its answer says."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace")
