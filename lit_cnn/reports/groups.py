"""Groups of runs that differ only in their seed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import mean
from typing import Any

from lit_cnn.runs.folder import RESULTS
from lit_cnn.runs.record import Run
from lit_cnn.runs.settings import LINKED, decisive

SEEDS = ("seed_everything", "data.seed")
CLASSES = ("model", "data")
NO_VARIANTS = (*SEEDS, "threads")  # threads change only the last digits of a result, which differ by seed anyway


@dataclass
class Group:
    """A variant: the runs of one config with several seeds."""

    label: str
    runs: list[Run] = field(default_factory=list)  # finished ones, one of each seed
    unfinished: list[Run] = field(default_factory=list)
    repeated: list[Run] = field(default_factory=list)  # older finished runs with the seed of a newer one

    @property
    def any_run(self) -> Run:
        """One of the runs, for settings that all share."""
        return (self.runs or self.unfinished)[0]

    @property
    def labels(self) -> dict[str, str]:
        """The label of its value on each axis of its experiment."""
        return self.any_run.labels

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that decide its result, without the seed, by dotted keys."""
        return _settings_of(self.any_run)

    def values(self, figure: str) -> dict[int, float]:
        """Returns a value of results.json for each seed."""
        return {run.seed: run.results[figure] for run in self.runs if figure in run.results}

    def mean(self, figure: str) -> float | None:
        """Returns the mean of a value over the seeds, or None if no run has it."""
        values = self.values(figure)
        return mean(values.values()) if values else None


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Groups runs that differ only in their seed, and gives each group a unique name."""
    groups: dict[str, Group] = {}
    for run in runs:
        key = json.dumps([run.dataset, run.labels, _settings_of(run)], sort_keys=True, default=str)
        group = groups.setdefault(key, Group(run.label))
        if run.label not in group.label.split(", "):  # runs of one config under several names
            group.label += f", {run.label}"
        (group.unfinished if run.fault else group.runs).append(run)
    for group in groups.values():
        by_age = sorted(group.runs, key=lambda run: (run.folder / RESULTS).stat().st_mtime)
        newest = {run.seed: run for run in by_age}
        group.repeated = [run for run in group.runs if newest[run.seed] is not run]
        group.runs = [run for run in group.runs if newest[run.seed] is run]
    for label in {group.label for group in groups.values()}:
        alike = [group for group in groups.values() if group.label == label]
        own = differences(alike)
        for i, group in enumerate(alike if len(alike) > 1 else ()):
            parts = [f"{key.rpartition('.')[2]}={values[i]}" for key, values in own.items()]
            group.label = " ".join([label, *parts]) if parts else f"{label} ({group.any_run.dataset})"
    return list(groups.values())


def differences(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Returns the settings that differ between groups, with each group's value."""
    linked = {f"model.{name}" for name in LINKED}  # the data decide these settings
    keys = sorted({key for group in groups for key in group.settings} - linked)
    table = {key: [_text(group.settings.get(key), key in CLASSES) for group in groups] for key in keys}
    return {key: values for key, values in table.items() if len(set(values)) > 1}


def _text(value: Any, is_class: bool = False) -> str:
    """Returns a setting's value as in a config, cut to 40 letters; a class without its module; - for None."""
    if value is None:
        return "-"
    written = value if isinstance(value, str) else json.dumps(value)
    written = written.rpartition(".")[2] if is_class else written
    return written if len(written) <= 40 else written[:37] + "..."


def _settings_of(run: Run) -> dict[str, Any]:
    return {key: value for key, value in _flat(decisive(run.config)).items() if key not in NO_VARIANTS}


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat |= _flat(value, prefix if key == "init_args" else f"{dotted}.")
        elif value is not None:
            flat[dotted] = value
    return flat
