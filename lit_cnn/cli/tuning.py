"""`--tune_speed true`: sets the fastest settings in a config before the run is built, as if they were given by hand."""

import json
import os
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn.checks.begun_fit import free_memory, state_kept
from lit_cnn.checks.speed import PLAIN, PRECISION, Tuning
from lit_cnn.cli.command_line import COMMAND_LINE, Setting
from lit_cnn.errors import ConfigError
from lit_cnn.runs.folder import read_mapping

CHOSEN = "LIT_CNN_TUNED"  # tells the other processes of a run what the first has chosen
TUNED_PRECISIONS = (None, "32", "32-true", 32, "bf16-mixed", "16-mixed")  # with float32 weights


def tune(parser: Any, config: Any, given: list[Setting], run: Path | None) -> None:
    """Sets the fastest settings in a config, turns off its `tune_speed`, and prints the measured speeds.

    Settings given as flags stay, and settings of configs are replaced.

    Args:
        parser: The parser of `fit`, which builds throw-away parts.
        config: The settings of `fit`, changed in place.
        given: Those that the user gave.
        run: Folder of the run that is resumed, which keeps its settings.

    Raises:
        ConfigError: If the processes of the run were started by torchrun or Slurm, and each would choose for itself.
    """
    config.tune_speed = False
    typed = {setting.key for setting in given if setting.origin == COMMAND_LINE}
    fixed = {key for key in PLAIN if key.replace(".init_args", "") in typed or key not in config}
    if config.trainer.precision not in TUNED_PRECISIONS:
        fixed.add(PRECISION)
    if run is not None:
        before = read_mapping(run / "config.yaml", yaml.safe_load)
        chosen = {key: _at(before, key) for key in PLAIN}
    elif rank_zero_only.rank and CHOSEN in os.environ:  # type: ignore[attr-defined]
        chosen = json.loads(os.environ[CHOSEN])
    elif max(int(os.environ.get(name) or 1) for name in ("WORLD_SIZE", "SLURM_NTASKS")) > 1:
        raise ConfigError(
            "tune_speed: true measures in one process, but this run has several.\n"
            "Run `python -m lit_cnn check --tune_speed true` in one process, and set what it prints."
        )
    else:
        chosen = _measured(parser, config, {key: config.get(key) for key in fixed})
        os.environ[CHOSEN] = json.dumps(chosen)
    for key in chosen.keys() - fixed:
        config[key] = chosen[key]


def _measured(parser: Any, config: Any, fixed: dict[str, Any]) -> dict[str, Any]:
    """Returns the fastest settings, and prints the table."""
    threads = torch.get_num_threads()
    if str(config.trainer.devices) not in ("1", "auto") or config.trainer.num_nodes > 1:
        fixed = {"threads": threads} | fixed  # the processes of the run share the cores
    with state_kept():
        parts = parser.instantiate_classes(config)
        tuning = Tuning(parts.model, parts.data, {**parts.trainer}, fixed)
        chosen = tuning.fastest()
    print(tuning.table(), flush=True)
    del parts, tuning
    free_memory()  # before the run reads its data
    return chosen | {"threads": None} if chosen["threads"] == threads else chosen  # each process then takes its part


def _at(settings: Any, key: str) -> Any:
    for name in key.split("."):
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings
