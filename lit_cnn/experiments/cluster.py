"""Cluster jobs for an experiment's cells, with submitit (SLURM, or local processes)."""

import sys
from pathlib import Path
from typing import Any

from lit_cnn.cli import safe_yaml
from lit_cnn.errors import ConfigError, not_installed


def submit(command: list[str], jobs: int, given: str | None, folder: Path) -> list[Any]:
    """Submits a command several times; the jobs share the cells by locks. Returns submitit's jobs without waiting.

    Args:
        command: A verb and its arguments.
        jobs: Number of jobs.
        given: submitit's parameters as a YAML mapping; its key `cluster` selects the engine, by default SLURM if it is
            there, else this machine.
        folder: Folder of the jobs' output, on a file system that all jobs share.
    """
    try:
        import submitit
    except ImportError as error:
        raise not_installed("--submit", "submitit", "cluster") from error
    parameters = safe_yaml.value_of(given or "{}")
    if not isinstance(parameters, dict):
        raise ConfigError(f"--submit_args {given}: has to be a mapping, such as '{{slurm_partition: gpu}}'.")
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=parameters.pop("cluster", None))
        executor.update_parameters(**parameters)
        function = submitit.helpers.CommandFunction([sys.executable, "-m", "lit_cnn", *command])
        with executor.batch():
            return [executor.submit(function) for _ in range(jobs)]
    except (NameError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"--submit_args {given}: {' '.join(str(error).split())[:200]}") from error
