"""CPU cores: how many this process may use, and how many of them other programs use."""

import os
import time

import psutil

ENOUGH = 0.5  # minimum seconds of counting: a short burst must not decide


class Watch:
    """Start of the counting of CPU time: the time of the clock and of this process."""

    since: float | None = None
    own = 0.0


def cores() -> int:
    """Returns the number of CPU cores that this process may use."""
    return len(usable())


def watch() -> None:
    """Begins to count the CPU time that other programs use, for `taken`."""
    psutil.cpu_percent(percpu=True)
    Watch.since, Watch.own = time.perf_counter(), time.process_time()


def taken() -> float:
    """Returns how many cores other programs have used since `watch`, on average; 0 if `watch` was not called."""
    if Watch.since is None or (seconds := time.perf_counter() - Watch.since) < ENOUGH:
        return 0.0
    percent = dict(enumerate(psutil.cpu_percent(percpu=True)))
    busy = sum(percent.get(number, 0.0) for number in usable()) / 100
    own = (time.process_time() - Watch.own) / seconds
    Watch.since = None  # `taken` measures only once
    return max(0.0, busy - own)


def usable() -> set[int]:
    """Returns the numbers of the CPU cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
