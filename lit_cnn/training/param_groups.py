"""Parameter groups by patterns of names: other settings of the optimizer for some layers."""

import inspect
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lit_cnn.errors import ConfigError, nearest

OWN = ("pattern", "epochs")  # keys that are not the optimizer's
LABEL = "label"  # name of a group that the user did not give


@dataclass
class Members:
    """The parameters of one group."""

    settings: dict[str, Any]  # empty for the parameters that no pattern matches
    names: list[str] = field(default_factory=list)
    parameters: list[nn.Parameter] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)  # names that match its pattern, but belong to an earlier group

    def text(self) -> str:
        """Describes the group in a line."""
        numbers = sum(p.numel() for p in self.parameters)
        shown = ", ".join(self.names[:3]) + (f" and {len(self.names) - 3} more" if len(self.names) > 3 else "")
        settings = ", ".join(f"{key} {value}" for key, value in self.settings.items() if key not in ("pattern", LABEL))
        which = f"param_groups {self.settings['pattern']!r}" if self.settings else "all other parameters"
        which = self.settings.get(LABEL, which)
        taken = f"; {len(self.earlier)} more belong to an earlier group: {self.earlier[0]}" if self.earlier else ""
        return f"{which}: {shown} ({numbers:,} numbers){f'; {settings}' if settings else ''}{taken}"


def of_optimizer(group: dict[str, Any]) -> dict[str, Any]:
    """Returns the optimizer's settings of a group."""
    return {key: value for key, value in group.items() if key not in (*OWN, LABEL)}


def check(groups: Sequence[Any], optimizer: type) -> None:
    """Raises a ValueError if a group lacks its pattern, or has a setting that the optimizer does not take."""
    choice = [*OWN, *(name for name in inspect.signature(optimizer).parameters if name != "params")]
    for number, group in enumerate(groups, start=1):
        where = f"Group {number} of `param_groups`"
        if not isinstance(group.get("pattern"), str):
            raise ValueError(f"{where} needs a `pattern`, a regular expression of parameter names, but got {group}.")
        try:
            re.compile(group["pattern"])
        except re.error as error:
            raise ValueError(f"{where} has the pattern {group['pattern']!r}, which is invalid: {error}.") from None
        for key, value in group.items():
            if key not in choice:
                raise ValueError(
                    f"{where} has {key!r}, which is not an argument of {optimizer.__name__}.{nearest(key, choice)} "
                    f"A group has {', '.join(choice)}."
                )
            if key in ("lr", "epochs") and not (isinstance(value, (int, float)) and 0 < value < math.inf):
                raise ValueError(f"{where} has {key}: {value}. It has to be a number above 0.")


def members(named: Iterable[tuple[str, nn.Parameter]], groups: Sequence[dict[str, Any]]) -> list[Members]:
    """Returns the trained parameters of each group; first the parameters that no pattern matches.

    A parameter belongs to the first pattern that matches its name. Raises a ConfigError if a group has no parameters.
    """
    found = [Members({}), *(Members(dict(group)) for group in groups)]
    parameters = [(name.removeprefix("net."), p) for name, p in named]
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        matching = [one for one in found[1:] if re.search(one.settings["pattern"], name)] or [found[0]]
        matching[0].names.append(name)
        matching[0].parameters.append(parameter)
        for later in matching[1:]:
            later.earlier.append(name)
    for one in found[1:]:
        if one.parameters:
            continue
        pattern = one.settings["pattern"]
        frozen = [name for name, _ in parameters if re.search(pattern, name)]
        if one.earlier:
            why = f"only parameters of earlier groups, such as {one.earlier[0]}. Put it before them."
        elif frozen:
            why = f"only frozen parameters, such as {frozen[0]}. Remove it."
        else:
            names = [name for name, _ in parameters]
            why = f"no parameter. The names are {', '.join(names[:8])}{', ...' if names[8:] else '.'}"
        raise ConfigError(f"`param_groups` has the pattern {pattern!r}, which matches {why}")
    return found if found[0].parameters else found[1:]


def text(module: Any) -> str:
    """Returns a line for each parameter group of a LitClassifier, each after a line break; nothing without patterns."""
    groups = module.groups
    return "".join(f"\n{one.text()}" for one in members(module.named_parameters(), groups)) if groups else ""
