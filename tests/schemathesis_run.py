"""See schemathesis.sh."""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from openapi_spec_validator import validate

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "reliability"))
from service import KEY, Service, check  # noqa: E402

# Seconds after which a run counts as failed.
LIMIT = 1200
EXAMPLES = os.environ.get("EXAMPLES", "100")


def main():
    with Service() as service:
        document = json.load(urllib.request.urlopen(f"{service.url}/openapi.json"))
        validate(document)
        version = importlib.metadata.version
        check(True, f"a valid OpenAPI {document['openapi']} document (openapi-spec-validator {version('openapi-spec-validator')})")
        scripts = pathlib.Path(sys.executable).parent
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [
                    scripts / "schemathesis",
                    f"--config-file={HERE / 'schemathesis.toml'}",
                    "run",
                    f"{service.url}/openapi.json",
                    f"--header=x-api-key: {KEY}",
                    f"--max-examples={EXAMPLES}",
                    "--phases=examples,coverage,fuzzing,stateful",
                    "--mode=all",
                    "--checks=all",
                    "--continue-on-failure",
                    "--generation-database=none",
                    "--workers=1",
                    *sys.argv[1:],
                ],
                cwd=folder,
                env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)},
                timeout=LIMIT,
            )
        samples = service.metrics()
        answered = {}
        for name, value in samples.items():
            if name.startswith("http_server_request_duration_seconds_count"):
                status = name.split('status="')[1][:3]
                answered[status] = answered.get(status, 0) + int(value)
        print("answers by status, as the server counted them:", dict(sorted(answered.items())))
        check(run.returncode == 0, f"schemathesis {version('schemathesis')} found no violation")
        check(answered.get("500", 0) == 0, "no 500")
        check(samples["http_server_panics_total"] == 0, "no panic")


main()
