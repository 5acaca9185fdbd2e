"""Processes of cells: forks of a process that has imported everything but computed nothing, or new processes (spawn).

So each cell starts in the same state as `fit`, a crash ends only one cell, and a lock ends with its process.
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

from lit_cnn.cli.main import fault_of, import_once, prepare
from lit_cnn.errors import ConfigError
from lit_cnn.experiments.cells import OUTPUT, Cell, note_failure
from lit_cnn.runs.record import FAILURE

BUSY = 75  # exit code for a cell that another process runs; EX_TEMPFAIL in sysexits.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h
FORKS = sys.platform == "linux" and hasattr(os, "fork")  # Windows has no fork; macOS libraries do not work in one


class Start:
    """How processes are started from now on."""

    forks = FORKS


def choose_start() -> None:
    """Chooses fork or spawn for new processes, and imports once everything that forks need.

    In a Python process where torch may have computed already, a fork would wait for ever for torch's threads, which it
    does not have. A process started by spawn imports everything again.
    """
    computed = "torch" in sys.modules and sys.modules["torch"].get_num_threads() > 1
    Start.forks = FORKS and not computed
    if Start.forks:
        import_once("lit_cnn.cli.trainer")


def _context() -> Any:
    return multiprocessing.get_context("fork" if Start.forks else "spawn")


def launch(target: Callable[..., None], *args: Any) -> BaseProcess:
    """Starts a function in another process; for spawn, function and arguments are pickled."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not Start.forks:
        target, args = _begin, (target, *args)
    process: BaseProcess = _context().Process(target=target, args=args)
    try:
        process.start()
    except RuntimeError as error:  # in a process that imports the script that started it
        guard = "A script that runs an experiment has to do so below `if __name__ == '__main__':`."
        raise ConfigError(guard) from error
    return process


def _begin(target: Callable[..., None], *args: Any) -> None:
    """Prepares a new process and calls a function in it; the process ends with the one that started it."""
    prepare()
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    target(*args)


def _end_with_the_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def apart(function: Callable[[], Any]) -> Any:
    """Runs a function in another process, so that this one does not change; returns its result, or raises its error."""
    receiver, sender = _context().Pipe(duplex=False)
    process = launch(_answer, function, sender)
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
    except (Exception, SystemExit) as error:
        answer = fault_of(error) or RuntimeError(traceback.format_exc())
    sender.send(answer)


def start(cell: Cell, run: Callable[[list[str]], int], threads: int | None, device: int | None) -> BaseProcess:
    """Starts or resumes a cell by `run`, with `threads` unless its config sets them, and with one GPU or all.

    The exit code is that of `fit`, or BUSY.
    """
    return launch(_run_cell, cell, run, threads, device, os.getpid())


def _run_cell(
    cell: Cell, run: Callable[[list[str]], int], threads: int | None, device: int | None, parent: int
) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C reaches only the parent, which passes it on once
    if FORKS:  # end with the parent, even by kill -9
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
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(device)
    output = os.open(cell.folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(output, number)
        stream = os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)  # a console stream of Windows cannot write to a file
    (cell.folder / FAILURE).unlink(missing_ok=True)
    argv = ["fit", *cell.arguments()]
    if threads and cell.config.get("threads") is None and "--resume" not in argv:  # a resumed run keeps its threads
        argv += ["--threads", str(threads)]
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
