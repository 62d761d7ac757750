"""Run a command and print its wall time, CPU time and peak memory as one JSON line.

A process of its own, because the system counts the memory of the one that starts a program as
part of the program's peak: this one is small.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(command: list[str]) -> None:
    """Measure *command*, its standard output sent to standard error."""
    begin = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall_time = time.perf_counter() - begin
    unit = 1 if sys.platform == "darwin" else 1024
    measured = {
        "wall_time": wall_time,
        "cpu_time": usage.ru_utime + usage.ru_stime,
        "peak_rss": usage.ru_maxrss * unit,
        "code": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1:])
