"""Scores requests with pick-regno on Spark: NDJSON in, NDJSON out, in the same order.

    spark-submit --files pick-regno deploy/spark/score.py INPUT OUTPUT [PARTITIONS]

`--files` brings the static program to every executor. Each partition is piped through a process of it. A line of the output is a case that
`pick-regno check` reads, `{"request":…,"negative":…,"positive":…,"raw":…}`, or `{"request":…,"error":…}` for a request that cannot be answered.
"""

import sys
import time

from pyspark.sql import SparkSession

PROGRAM = "./pick-regno score --threads 1"


def case(pair):
    """A request and its answer, both JSON objects, as one."""
    request, answer = pair
    return f'{{"request":{request},{answer[1:]}'


def main():
    source, target = sys.argv[1:3]
    spark = SparkSession.builder.appName("pick-regno").getOrCreate()
    started = time.monotonic()
    lines = spark.sparkContext.textFile(source, int(sys.argv[3]) if len(sys.argv) > 3 else None)
    # The program answers each line but blank ones, in order. Were one of its processes killed, the two sides would differ in length, which
    # fails the task; Spark runs it again. Its exit code says no more: 1 means that some request could not be answered.
    requests = lines.filter(lambda line: line.strip())
    requests.zip(requests.pipe(PROGRAM)).map(case).saveAsTextFile(target)
    print(f"seconds: {time.monotonic() - started:.3f}")
    spark.stop()


if __name__ == "__main__":
    main()
