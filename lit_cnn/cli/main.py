"""Entry point of the command line: selects the verb, and turns errors into messages and exit codes."""

import atexit
import gc
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import psutil

from lit_cnn import cores
from lit_cnn.errors import (
    DISK_ERRORS,
    ConfigError,
    DiskError,
    LitCNNError,
    forbidden,
    is_of_the_machine,
    is_out_of_memory,
    nearest,
    too_little_memory,
)
from lit_cnn.own_code import mistake_in_own_code
from lit_cnn.runs.class_paths import ALLOW
from lit_cnn.version import __version__

VERBS = {
    "fit": "train a network, then test its best checkpoint once",
    "validate": "evaluate a checkpoint on the validation images",
    "test": "evaluate a checkpoint on the test images",
    "predict": "write a checkpoint's predictions for the test images to a table",
}
COMMANDS = {
    "ablate": "run a grid of trainings over several seeds",
    "check": "check a run before training: layers, first loss, memory, time",
    "classify": "classify image files with a trained network",
    "compare": "compare two runs on the same test images, with McNemar's test",
    "completion": "print a script for your shell's Tab key, or a schema for editors",
    "demo": "open a local web page: draw a digit, see what networks predict",
    "explain": "show which pixels matter: Grad-CAM, occlusion and saliency",
    "export": "write a trained network as ONNX, pt2, TorchScript or safetensors",
    "models": "list all networks: paper, parameters, MACs, smallest image",
    "report": "write a report of one or many runs: HTML, Markdown, LaTeX, CSV",
    "search": "find an experiment's variant with the best validation accuracy",
    "verify": "train a shipped config again, and check the expected accuracy",
}

LR_FIND = "--lr_find"  # the one flag of `check` that is no setting of `fit`

HELP = f"""usage: python -m lit_cnn VERB [CONFIG ...] [--KEY VALUE ...]

Trains, tests and uses convolutional networks on small images.
A config is a YAML file, or the name of a config that comes with lit_cnn.
Several configs are merged from left to right. Flags override all of them.

verbs:
{"".join(f"  {verb:10} {what}{chr(10)}" for verb, what in (VERBS | COMMANDS).items())}
examples, each after python -m lit_cnn:
  fit --config quickstart                 a first run, without a download
  fit --help                              the settings that most runs need
  fit --model.help LitVGG                 all settings of one network
  fit --config quickstart --print_config  a complete config to start from
  check --config quickstart               cost, and whether it can learn
  test RUN                                test a run: RUN is its folder
  fit --resume RUN                        resume an interrupted run
  VERB --help                             the help of one verb
  VERB ... --allow my_package             use a network or data of your own

exit codes: 0 done, 1 a bug, 2 wrong config, too little memory, or a mistake in
  your own code, 3 data, 4 checkpoint, 5 diverged, 6 disk or permissions,
  7 verify: not as expected, 130 interrupted, 143 terminated. LIT_CNN_DEBUG=1
  shows tracebacks.
"""


class Start:
    """When the command began, by `time.perf_counter`."""

    at = 0.0


def start_up() -> float:
    """Returns the seconds since this command began, or this process, if it was forked later."""
    return min(time.perf_counter() - Start.at, time.time() - psutil.Process().create_time())


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code, which `HELP` lists.

    Args:
        argv: The arguments; by default those of the process.
    """
    Start.at = time.perf_counter()
    argv = sys.argv[1:] if argv is None else argv
    before = os.environ.get(ALLOW)
    try:
        return _dispatch(_allowing(argv))
    except SystemExit as stop:  # --help, --print_config; Ctrl-C, which Lightning turns into exit(1)
        if isinstance(stop.__context__, KeyboardInterrupt):
            return 130
        if mistake_in_own_code(stop):
            return _reported(stop)
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has closed the output, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes stdout when it ends
        return 141  # the shell's code for SIGPIPE
    except Exception as error:
        return _reported(error)
    finally:
        os.environ.pop(ALLOW, None)
        if before is not None:
            os.environ[ALLOW] = before


def _reported(error: BaseException) -> int:
    """Prints an error as the message of its fault, a bug with its traceback; returns the exit code."""
    fault = fault_of(error)
    if fault is None or os.environ.get("LIT_CNN_DEBUG") == "1":
        traceback.print_exception(error)
    else:
        print(f"error: {fault}", file=sys.stderr)
    return fault.exit_code if fault else 1


def _allowing(argv: list[str]) -> list[str]:
    """Returns the arguments without `--allow PACKAGE`, which goes to $LIT_CNN_ALLOW for processes of this run too."""
    others, rest = list[str](), list(argv)
    while rest:
        name, equals, value = (argument := rest.pop(0)).partition("=")
        if name != "--allow":
            others.append(argument)
            continue
        if not equals and not rest:
            raise ConfigError("--allow needs the name of a package or module that configs and checkpoints may import.")
        os.environ[ALLOW] = ",".join(filter(None, [os.environ.get(ALLOW), value if equals else rest.pop(0)]))
    return others


def _dispatch(argv: list[str]) -> int:
    verb, *rest = argv or ["--help"]
    if verb == "--version":
        print(f"lit_cnn {__version__}")
    elif verb in ("--help", "-h"):
        print(HELP)
    elif verb in VERBS and {"--help", "-h"} & set(rest):
        print(import_module("lit_cnn.cli.short_help").short_help(verb))
    elif verb in VERBS or verb in COMMANDS:
        argv = ["--help" if argument == "--help_all" else argument for argument in argv]
        if verb in VERBS or verb == "check":
            settings = [word for word in argv if verb != "check" or word != LR_FIND]
            # takes less than a second; the rest takes several
            checked = import_module("lit_cnn.cli.quick_check").check(settings)
            import_module("lit_cnn.cli.absent_gpu").refuse_absent_gpu(*checked)
        if verb in VERBS:
            import_once("lit_cnn.cli.trainer").run_checked(*checked)
        else:
            import_once(f"lit_cnn.commands.{verb}").main(rest)
    else:
        verbs = [*VERBS, *COMMANDS]
        near = " The verb comes first, as in fit --config quickstart." if verb.startswith("-") else nearest(verb, verbs)
        raise ConfigError(f"There is no verb {verb!r}.{near} The verbs are {', '.join(verbs)}.")
    return 0


def import_once(module: str) -> Any:
    """Imports a module that needs torch and Lightning, which takes seconds.

    Garbage collection is off during the import, and ignores the imported objects afterwards. Otherwise it would take
    0.7 s of the import, and 0.2 s each time that matplotlib's many objects trigger it.
    """
    if module in sys.modules:
        return sys.modules[module]
    collects = gc.isenabled()
    gc.disable()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = before == {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminated}  # as `run` has them
    for number in before if ours else ():  # a library may catch the exception in its import, and fail later
        signal.signal(number, lambda number, _: os._exit(128 + number))
    try:
        found = import_module(module)
        gc.freeze()
        atexit.register(gc.unfreeze)  # else triton reports a leak at exit
        return found
    finally:
        for number, handler in before.items() if ours else ():
            signal.signal(number, handler)
        if collects:
            gc.enable()


def fault_of(error: BaseException) -> LitCNNError | None:
    """Returns the LitCNNError for an error of user or machine, or None for a bug in lit_cnn."""
    if isinstance(error, PermissionError):
        return forbidden(error)
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return DiskError(
            f"{error.filename or 'The disk'}: {error.strerror}. Free some space, or choose another folder."
        )
    if is_out_of_memory(error):
        remedy = "a smaller --data.batch_size (and --data.eval_batch_size), or --trainer.precision bf16-mixed"
        return too_little_memory(error, "this run", remedy)
    return error if isinstance(error, LitCNNError) else mistake_in_own_code(error)


def _terminated(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    # TensorBoard's writer thread passes its error to the main thread, where it is reported
    if not (args.exc_value and is_of_the_machine(args.exc_value)):
        threading.__excepthook__(args)


def _open_streams() -> None:
    """Reopens closed standard streams (`2>&-`), so that libraries can write and no file gets their number.

    Output to a file or a pipe is UTF-8 on every system, unless PYTHONIOENCODING is set.
    """
    named = "PYTHONIOENCODING" in os.environ
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # the system takes the lowest free number, the stream's own
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
        elif name != "stdin" and isinstance(stream, TextIOWrapper) and not stream.isatty() and not named:
            stream.reconfigure(encoding="utf-8", errors=stream.errors)


def prepare() -> None:
    """Prepares this process for a command: its streams, threads, warnings and signals."""
    _open_streams()
    passive = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
    if passive.keys().isdisjoint(os.environ):  # waiting threads that spin slow other programs down (docs/speed.md)
        os.environ |= passive
    cores.watch()  # during the imports, which take seconds, it counts what other programs use
    for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", category)  # warnings between libraries, with `python -W error` too
    for number in {signal.SIGTERM, getattr(signal, "SIGBREAK", signal.SIGTERM)}:  # Ctrl-Break of Windows
        signal.signal(number, _terminated)
    threading.excepthook = _thread_failed


def run() -> None:
    """Runs the process's command and exits with its code."""
    prepare()
    sys.exit(main())
