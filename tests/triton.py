"""Asks the service as `tritonclient` does: the Open Inference Protocol, V2, REST.

    tests/python.sh triton.py PROGRAM
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ROOT = Path(__file__).resolve().parent.parent
KEY = "123321"
CASES = [json.loads(line) for line in (ROOT / "fixtures/test_data.expected.ndjson").read_text().splitlines()]


def inputs(cases):
    """The columns of the cases' requests."""
    for name in cases[0]["request"]:
        column = [case["request"][name] for case in cases]
        if name == "direction":
            values, datatype = np.array([int(value) for value in column], dtype=np.int64), "INT64"
        elif isinstance(column[0], str):
            values, datatype = np.array(column, dtype=object), "BYTES"
        else:
            values, datatype = np.array(column, dtype=np.float64), "FP64"
        tensor = triton.InferInput(name, [len(cases)], datatype)
        tensor.set_data_from_numpy(values, binary_data=False)
        yield tensor


def main(program):
    server = subprocess.Popen(
        [program, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        env={"PICK_REGNO_API_KEYS": KEY},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        serving = json.loads(next(line for line in server.stderr if '"serving"' in line))
        client = triton.InferenceServerClient(serving["address"])
        headers = {"x-api-key": KEY}
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("pick_regno", headers=headers)
        assert client.get_server_metadata(headers=headers)["name"] == "pick-regno"
        model = client.get_model_metadata("pick_regno", headers=headers)
        assert model["versions"] == [serving["model"]] and len(model["inputs"]) == 10, model
        for asked in (None, [triton.InferRequestedOutput(name, binary_data=False) for name in ("raw", "positive", "negative")]):
            answer = client.infer("pick_regno", list(inputs(CASES)), outputs=asked, headers=headers, request_id="7")
            assert answer.get_response()["id"] == "7"
            for name in ("raw", "positive", "negative"):
                expected = np.array([case[name] for case in CASES])
                found = answer.as_numpy(name)
                assert found.dtype == np.float64 and (found.view(np.int64) == expected.view(np.int64)).all(), name
        try:
            client.infer("pick_regno", list(inputs(CASES))[1:], headers=headers)
            raise AssertionError("a request without a field was answered")
        except InferenceServerException as error:
            assert "regno_recognize is missing" in error.message(), error
        print(f"{len(CASES)} rows by tritonclient, equal to the bit")
    finally:
        server.terminate()
        server.wait()


main(sys.argv[1])
