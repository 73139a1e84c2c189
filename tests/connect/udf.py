#!/usr/bin/env python3
"""The model as a function of ClickHouse: SQL over the fixtures against their answers, to the bit; a process of the pool is killed in between.

    tests/connect/udf.py target/release/pick-regno [ROWS]

It is clickhouse-local's listener that this runs on: servers.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import servers

FUNCTION = servers.TOP / "deploy/clickhouse/function.xml"
EQUAL = "reinterpretAsUInt64(assumeNotNull(found)) = reinterpretAsUInt64(positive) AND found IS NOT NULL"


def pool(program):
    """The processes of the pool."""
    found = subprocess.run(["pgrep", "-f", f"^{program} score"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def quoted(text):
    """A literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def main():
    binary, rows = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    with servers.folder("udf") as folder:
        scripts = folder / "user_scripts"
        scripts.mkdir()
        program = scripts / "pick-regno"
        shutil.copy(binary, program)
        config = folder / "config.xml"
        config.write_text(
            f"<clickhouse><user_scripts_path>{scripts}</user_scripts_path>"
            f"<user_defined_executable_functions_config>{FUNCTION}</user_defined_executable_functions_config></clickhouse>")
        clickhouse = servers.ClickHouse(folder, config)
        with servers.started(clickhouse):
            ask = clickhouse.ask
            clickhouse.script(servers.TOP / "deploy/clickhouse/function.sql")
            ask("CREATE DATABASE t ENGINE = Atomic")
            ask("CREATE TABLE t.cases (request String, positive Float64) ENGINE = MergeTree ORDER BY tuple()")
            cases = b"".join(file.read_bytes() for file in [servers.CASES, servers.FIXTURES / "cases.ndjson"])
            ask("INSERT INTO t.cases FORMAT JSONEachRow", cases, input_format_skip_unknown_fields=1)

            def compare():
                count, equal = ask(f"SELECT count(), countIf({EQUAL}) FROM (SELECT positive, pickRegnoOf(request) AS found FROM t.cases)").split()
                return int(count), int(equal)

            first = compare()
            before = pool(program)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            failed = 0
            while True:
                try:
                    again = compare()
                    break
                except ValueError:
                    # The query that met the dead process.
                    failed += 1
                    if failed > 3:
                        raise
            whole = json.loads(cases.splitlines()[0])["request"]
            lacking = [json.dumps({name: value for name, value in whole.items() if name != left_out}) for left_out in whole]
            bad = [ask(f"SELECT isNull(pickRegnoOf({quoted(request)}))").strip() for request in [*lacking, "{}", "nonsense", ""]]
            started = time.monotonic()
            big = ask(f"SELECT count(), countIf({EQUAL}) FROM (SELECT positive, pickRegnoOf(request) AS found FROM (SELECT request, positive "
                      f"FROM t.cases CROSS JOIN numbers({rows // first[0] + 1}) AS times LIMIT {rows}))").split()
            seconds = time.monotonic() - started
        expected = cases.count(b"\n")
        servers.verdict("udf", first == again == (expected, expected) and set(bad) == {"1"} and big == [str(rows)] * 2 and before,
                        rows=first[0], equal=first[1], equal_after_kill=again[1], queries_failed=failed, bad_rows_that_are_null=bad.count("1"),
                        large=rows, large_equal=int(big[1]), rows_per_second=round(rows / seconds))


main()
