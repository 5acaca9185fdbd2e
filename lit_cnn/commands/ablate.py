"""Runs a grid of trainings over several seeds, and prints mean and standard deviation of each variant."""

import argparse
import math
import os
import shlex
import signal
import statistics
import time
from collections import deque
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from lit_cnn.checks.text_table import text_table
from lit_cnn.commands.arguments import Parser, positive
from lit_cnn.data.download import FORBIDDEN
from lit_cnn.errors import STOPPING, DataError, LitCNNError, counted
from lit_cnn.experiments.cells import OUTPUT, Cell, note_failure, write_plan
from lit_cnn.experiments.cluster import submit
from lit_cnn.experiments.grid import Experiment, read_experiment, seeds_of
from lit_cnn.experiments.processes import BUSY, apart, choose_start, last_line, pass_on, start
from lit_cnn.experiments.side_by_side import Shares, shares
from lit_cnn.runs.settings import decisive

AUTO = "auto"
EXPERIMENT = "an experiment's file, or the name of one of configs/experiments"
JOBS = "cells at a time (default auto: one for each GPU; on CPUs one for each core, if there is enough memory)"
EPILOG = """A cell is one training: a variant with a seed. Its run is in logs/EXPERIMENT/VARIANT-seedN/version_N.
--KEY VALUE is a setting of fit for all cells, such as --data.data_dir data.

All configs are checked before the first cell begins. Finished cells are skipped, and interrupted ones are resumed. You
can start the same command several times: the processes share the cells.

examples:
  python -m lit_cnn ablate exercise --data.data_dir data
  python -m lit_cnn ablate my_experiment.yaml --dry_run

exit code: 0 if all cells finished, otherwise that of fit for the first cell that failed.
"""


def main(argv: list[str]) -> None:
    """Runs an experiment."""
    parser = Parser("ablate", __doc__, EPILOG)
    parser.add_argument("experiment", help=EXPERIMENT)
    parser.add_argument("--dry_run", action="store_true", help="only show the cells, and which are finished")
    parser.add_argument("--jobs", type=number_of_jobs, default=None, help=JOBS)
    parser.add_argument("--seeds", help="seeds 0 to SEEDS - 1, or a list such as [0,7]; overrides the file's")
    parser.add_argument("--submit", type=positive, help="number of cluster jobs that share the cells, by submitit")
    parser.add_argument("--submit_args", help="options of submitit, such as '{slurm_partition: gpu, timeout_min: 600}'")
    given, overrides = parser.parse_before_settings(argv)
    experiment = read_experiment(given.experiment)
    if given.seeds is not None:
        experiment = replace(experiment, seeds=seeds_of(given.seeds, Path("--seeds")))
    if given.submit is None:
        run_grid(experiment, overrides, given.jobs, ["ablate", *argv], given.dry_run)
        return
    cells = planned(experiment, overrides)
    folder = write_plan(experiment, cells).parent
    command = [
        "ablate",
        str(experiment.path),
        "--jobs",
        str(given.jobs or AUTO),
        "--seeds",
        str(experiment.seeds),
        *overrides,
    ]
    jobs = submit(command, given.submit, given.submit_args, folder / "jobs")
    print(f"{folder}: {counted(len(cells), 'cell')}, {sum(cell.results() is not None for cell in cells)} finished")
    print(f"submitted {', '.join(job.job_id for job in jobs)}; their output: {folder / 'jobs'}")
    print(f"to see which cells are finished: python -m lit_cnn ablate {experiment.path} --dry_run")


def number_of_jobs(text: str) -> int | None:
    """Parses a number of jobs; None for auto."""
    try:
        return None if text == AUTO else positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor {AUTO}") from error


def planned(experiment: Experiment, overrides: list[str]) -> list[Cell]:
    """Returns all cells of an experiment, after a check of their configs."""
    choose_start()
    from lit_cnn.experiments.plan import plan  # imports torch

    cells: list[Cell] = apart(partial(plan, experiment, overrides))
    return cells


def run_grid(
    experiment: Experiment, overrides: list[str], jobs: int | None, command: list[str], dry_run: bool = False
) -> list[Cell]:
    """Runs the unfinished cells of an experiment, and prints the results of all.

    Args:
        experiment: The experiment.
        overrides: Arguments of `fit` for all cells.
        jobs: Number of cells that run at the same time; None for the fastest.
        command: Verb and arguments to resume it, printed if it is interrupted.
        dry_run: Only show the plan.

    Raises:
        LitCNNError: If a config is wrong, before any cell runs; or if cells failed, after all others have finished.
    """
    cells = planned(experiment, overrides)
    todo = [cell for cell in cells if cell.results() is None]
    how = shares(cells, jobs)
    try:
        left = _time_left(cells, todo, how, dry_run)
    except DataError:
        if not dry_run:
            raise
        left = "time not known without the data"
    print(f"{cells[0].root}: {counted(len(cells), 'cell')}, {len(cells) - len(todo)} finished; {left}", flush=True)
    from lit_cnn.checks.slow import of_threads  # imports torch

    if not how.gpus and (warning := of_threads(max(cell.config.get("threads") or 0 for cell in cells))):
        print(warning, flush=True)
    if dry_run:
        for cell in cells:
            print(f"  {'to run' if cell in todo else 'finished':8}  {cell.name}")
        return cells
    write_plan(experiment, cells)
    failed = run_cells(todo, len(cells), how, command)
    print(f"\n{table(cells)}\n\nruns in {cells[0].root}")
    if failed:
        first, code = failed[0]
        message = f"{len(failed)} of {len(cells)} cells failed. {first.name}: {first.failure().splitlines()[0][:200]}"
        error = LitCNNError(f"{message}\nIts output is in {first.folder / OUTPUT}.")
        error.exit_code = code
        raise error
    return cells


def run_cells(cells: list[Cell], of: int, how: Shares, command: list[str]) -> list[tuple[Cell, int]]:
    """Runs cells, also those that other processes run, and returns the failed ones with their exit codes.

    `of` is the number of all cells, `how` the share of the machine that each gets; see `run_grid` for `command`.
    """
    from lit_cnn.cli.main import main as run

    waiting, running = deque((cell, 0.0) for cell in cells), dict[BaseProcess, tuple[Cell, int]]()
    failed: list[tuple[Cell, int]] = []
    one_gpu_each = how.jobs > 1 and how.gpus > 0
    before = signal.getsignal(signal.SIGTERM)
    with tqdm(total=of, initial=of - len(cells), desc="cells", disable=None) as bar:
        try:
            while waiting or running:
                while waiting and len(running) < how.jobs and waiting[0][1] <= time.monotonic():
                    cell = waiting.popleft()[0]
                    slot = min(set(range(how.jobs)) - {slot for _, slot in running.values()})
                    running[start(cell, run, how.threads, slot % how.gpus if one_gpu_each else None)] = (cell, slot)
                time.sleep(0.05)
                for process in [p for p in running if p.exitcode is not None]:
                    cell = running.pop(process)[0]
                    code = process.exitcode or 0
                    if code == BUSY:  # try again later: the process that runs it may be killed
                        waiting.append((cell, time.monotonic() + 1))
                        continue
                    if code:
                        failed.append((cell, code if code > 0 else 128 - code))
                    tqdm.write(_outcome(cell, code))
                    bar.update()
                bar.set_postfix_str("; ".join(f"{c.name}: {last_line(c)[:60]}" for c, _ in running.values())[:100])
        except (KeyboardInterrupt, SystemExit) as stop:
            _stop(list(running), stop, f"python -m lit_cnn {shlex.join(command)}")
        finally:
            signal.signal(signal.SIGTERM, before)
    return failed


def _outcome(cell: Cell, code: int) -> str:
    """Returns the line about a cell that has ended; writes down the failure of a cell that was killed."""
    if code:
        if not cell.failure():
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            note_failure(cell.folder, code, f"the process ended with {name}")
        return f"failed    {cell.name}  {cell.failure().splitlines()[0][:120]}"
    results = cell.results() or {}
    figures = [f"{name} {results[name]:.2%}" for name in ("val/acc", "test/acc") if name in results]
    return f"finished  {cell.name}  {'  '.join(figures)}"


def _stop(processes: list[BaseProcess], stop: BaseException, way: str) -> NoReturn:
    number = signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM
    print(f"\n{STOPPING}", flush=True)
    while any(process.is_alive() for process in processes):
        for process in processes:
            pass_on(number, process)
        try:
            for process in processes:
                process.join()
        except (KeyboardInterrupt, SystemExit):
            continue
    print(f"stopped; to resume:\n{way}", flush=True)
    raise stop


def _time_left(cells: list[Cell], todo: list[Cell], how: Shares, dry_run: bool) -> str:
    """Estimates the time for the unfinished cells: from finished cells of the same variant, else from a few steps.

    Finished cells have noted only the seconds of their training, so at least one cell is timed, with its start-up.
    """
    if not todo:
        return "nothing to run"
    trained: dict[str, list[float]] = {}
    for cell in cells:
        if results := cell.results():
            trained.setdefault(cell.variant, []).append(results["fit_seconds"])
    unknown = {cell.variant: cell for cell in todo if cell.variant not in trained} or {todo[0].variant: todo[0]}
    lengths, seconds = dict[str, Any](), dict[str, float]()
    threads = [] if how.threads is None or todo[0].config.get("threads") else ["--threads", str(how.threads)]
    with tqdm(unknown.values(), desc="timing a few steps of each network", leave=False, disable=None) as bar:
        for cell in bar:
            without_effect = ("seed_everything", "data.permute", "data.views")  # these do not change the time of a step
            key = str({key: v for key, v in decisive(cell.config).items() if not key.startswith(without_effect)})
            if key not in lengths:
                lengths[key] = apart(partial(_timed, [*cell.argv, *threads], dry_run))
            seconds[cell.variant] = lengths[key].total
    start_up = statistics.mean(length.start_up for length in lengths.values())
    seconds |= {variant: start_up + statistics.mean(values) for variant, values in trained.items()}
    left = sum(seconds[cell.variant] for cell in todo) / min(how.jobs, len(todo))
    if math.isinf(left):
        return "time not known: a cell has no max_epochs, max_steps or max_time"
    beside = f", {how.jobs} side by side" if how.jobs > 1 else ""
    each = f", {counted(how.threads, 'thread')} each" if how.threads and beside else ""
    return f"about {left:.0f} s left, not counting the tests{beside}{each}"


def _timed(argv: list[str], dry_run: bool) -> Any:
    if dry_run:
        os.environ[FORBIDDEN] = "1"
    from lit_cnn.cli.before_fit import timed  # imports torch

    return timed(argv)


def table(cells: list[Cell], name: str = "test/acc") -> str:
    """Returns the table of results: mean and standard deviation over seeds for each variant, in percent."""
    rows = [("cell", f"{name}, %", "seeds")]
    for variant in dict.fromkeys(cell.variant for cell in cells):
        group = [cell.results() or {} for cell in cells if cell.variant == variant]
        values = [100 * results[name] for results in group if name in results]
        spread = f" +- {statistics.stdev(values):5.2f}" if len(values) > 1 else ""
        mean = f"{statistics.mean(values):.2f}{spread}" if values else "-"
        missing = f" of {len(group)}" if len(values) < len(group) else ""
        rows.append((variant, mean, f"{len(values)}{missing}"))
    return text_table(rows, right=[1])
