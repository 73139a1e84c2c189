"""What Celery's own worker runs beside ours, for a comparison: the same task, answered by `pick-regno score`."""

import json
import os
import subprocess

from celery import Celery

app = Celery(broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_default_queue = "pick_regno"
app.conf.worker_prefetch_multiplier = 4
_process = None


@app.task(name="pick_regno")
def pick_regno(request):
    """What the model says of a request."""
    global _process
    if _process is None:
        _process = subprocess.Popen([os.environ["PICK_REGNO"], "score", "--threads", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _process.stdin.write(json.dumps(request) + "\n")
    _process.stdin.flush()
    answer = json.loads(_process.stdout.readline())
    if "error" in answer:
        raise ValueError(answer["error"])
    return {"negative": answer["negative"], "positive": answer["positive"]}
