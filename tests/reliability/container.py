"""A control group with a limit of memory, such as a container has: what its processes take, and what the kernel keeps for their sockets."""

import os
import pathlib


class Container:
    """`limit` is in bytes; beyond it the kernel kills the process. Raises OSError where no control group can be made."""

    def __init__(self, limit):
        # Version 1 counts the memory of sockets beside the limit, version 2 within it.
        self.old = pathlib.Path("/sys/fs/cgroup/memory").is_dir()
        root = "/sys/fs/cgroup/memory" if self.old else "/sys/fs/cgroup"
        self.folder = pathlib.Path(root) / f"pick-regno-memory-{os.getpid()}"
        self.folder.mkdir()
        try:
            for name in ("memory.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes") if self.old else ("memory.max",):
                self.write(name, limit)
        except OSError:
            self.folder.rmdir()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.rmdir()

    def write(self, name, value):
        (self.folder / name).write_text(str(value))

    def numbers(self, name):
        return {line.split()[0]: int(line.split()[1]) for line in (self.folder / name).read_text().splitlines()}

    def inside(self, line):
        """The command line that runs `line` in it."""
        return ["sh", "-c", 'echo $$ >"$0"; exec "$@"', str(self.folder / "cgroup.procs"), *line]

    def used(self):
        """Bytes that cannot be taken back: of the processes, and of the kernel for their sockets."""
        stat = self.numbers("memory.stat")
        if self.old:
            return stat["rss"], int((self.folder / "memory.kmem.tcp.usage_in_bytes").read_text())
        return stat["anon"], stat["sock"]

    def kills(self):
        """Number of processes that the limit has killed."""
        return self.numbers("memory.oom_control" if self.old else "memory.events")["oom_kill"]
