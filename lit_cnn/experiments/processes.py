"""Processes of cells: forks of one that has imported torch but computed nothing; off Linux new ones, started by spawn.

So each cell starts in the same state as `fit`, a crash ends one cell only, and a lock ends with its process.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from lit_cnn.cli.main import prepare
from lit_cnn.errors import LitCNNError
from lit_cnn.experiments.cells import OUTPUT, Cell, note_failure
from lit_cnn.runs.record import FAILURE

BUSY = 75  # exit code for a cell that another process runs; EX_TEMPFAIL in sysexits.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h
SPAWNS = sys.platform != "linux" or not hasattr(os, "fork")  # Windows has no fork; on a Mac one breaks its libraries
PROCESSES: Any = multiprocessing.get_context("spawn" if SPAWNS else "fork")


def fork(target: Callable[..., None], *args: Any) -> BaseProcess:
    """Starts a function in a fork of this process, or in a new one; then function and arguments are pickled."""
    sys.stdout.flush()
    sys.stderr.flush()
    if SPAWNS:
        target, args = _begin, (target, *args)
    process: BaseProcess = PROCESSES.Process(target=target, args=args)
    process.start()
    return process


def _begin(target: Callable[..., None], *args: Any) -> None:
    """Prepares a new process, which ends with the one that started it, and calls a function in it."""
    prepare()
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    target(*args)


def _end_with_the_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def in_a_fork(function: Callable[[], Any]) -> Any:
    """Runs a function in a fork, so that this process does not change; returns its result, or raises its error."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = fork(_answer, function, sender)
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError as error:
        raise RuntimeError("the process that looked at the configs died") from error
    process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(function: Callable[[], Any], sender: Any) -> None:
    try:
        answer = function()
    except LitCNNError as error:
        answer = error
    except Exception:
        answer = RuntimeError(traceback.format_exc())
    sender.send(answer)


def start(cell: Cell, run: Callable[[list[str]], int], threads: int, device: int | None) -> BaseProcess:
    """Starts or resumes a cell by `run` in a fork, with so many torch threads (0 for the default) and one GPU or all.

    The exit code is that of `fit`, or BUSY.
    """
    return fork(_run_cell, cell, run, threads, device, os.getpid())


def _run_cell(cell: Cell, run: Callable[[list[str]], int], threads: int, device: int | None, parent: int) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C reaches only the parent, which passes it on once
    if not SPAWNS:  # end with the parent, even by kill -9
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    lock = cell.claim()
    if lock is None:
        os._exit(BUSY)
    if cell.results() is not None:  # another process was faster
        os._exit(0)
    if threads:
        import torch

        torch.set_num_threads(threads)
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(device)
    output = os.open(cell.folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(output, number)
        stream = os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)  # Windows' stream of a console cannot write to a file
    (cell.folder / FAILURE).unlink(missing_ok=True)
    argv = ["fit", *cell.arguments()]
    sys.argv[1:] = argv  # multi-device strategies start the same command again
    code = run(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    if code not in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
        note_failure(cell.folder, code, _message(cell))
    os._exit(code)  # the lock ends with the process


def pass_on(number: int, process: BaseProcess) -> None:
    """Sends a signal to a cell. On Windows os.kill would end it at once, and Ctrl-C has reached it by itself."""
    if hasattr(os, "setpgrp") and process.pid and process.is_alive():
        os.kill(process.pid, number)


def last_line(cell: Cell) -> str:
    """Returns the last line of a cell's output."""
    return _lines(cell)[-1]


def _message(cell: Cell) -> str:
    lines = _lines(cell)
    starts = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    return "\n".join(lines[starts[-1] :]).removeprefix("error: ") if starts else lines[-1]


def _lines(cell: Cell) -> list[str]:
    output = cell.folder / OUTPUT
    return (output.read_text("utf-8", "replace").rstrip().splitlines() if output.is_file() else []) or [""]
