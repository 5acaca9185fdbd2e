"""The order of the house: which way imports run, and that configs, names and README agree."""

import ast
import importlib
from pathlib import Path

import pytest
import yaml

import lit_cnn
from lit_cnn.known_settings import sections
from lit_cnn.registry import subclasses_of
from lit_cnn.shipped import shipped_configs
from lit_cnn.transforms import Augmentation

PACKAGE = Path(lit_cnn.__file__).parent
ROOT = PACKAGE.parent
CONFIGS = {name: path for name, path in shipped_configs().items() if not name.startswith("overlays/")}
OVERLAYS = {name: path for name, path in shipped_configs().items() if name.startswith("overlays/")}

# What each part of the package may import of the others.
MAY_IMPORT = {
    "models": {"errors", "sizes"},
    "typed_arguments": {"errors", "registry"},
    "transforms": {"sizes", "typed_arguments"},
    "plots": {"errors"},
    "metrics": set(),
    "losses": set(),
    "monitors": {"errors"},
    "optimizers": {"errors", "monitors", "schedules"},
    "schedules": set(),
    "machine": set(),
    "data": {"errors", "sizes", "transforms", "typed_arguments"},
    "signals": set(),
    "divergence": {"errors"},
    "step_log": set(),
    "quiet": set(),
    "checkpoint_io": {"errors"},
    "lightning_internals": {"loop"},
    "loop_conditions": {"data", "signals"},
    "loop": {"loop_conditions"},
    "devices": {"data", "errors"},
    "continuation": {"metrics"},
    "classifiers": {
        "continuation",
        "data",
        "devices",
        "divergence",
        "errors",
        "lightning_internals",
        "losses",
        "metrics",
        "optimizers",
        "step_log",
        "transforms",
        "typed_arguments",
    },
    "architectures": {"classifiers", "models"},
    "runs": {"errors"},
    "checkpoints": {
        "architectures",
        "checkpoint_io",
        "classifiers",
        "data",
        "errors",
        "registry",
        "runs",
        "transforms",
    },
    "explanations": set(),
    "explanation_plots": {"plots"},
    "exporting": {"classifiers", "errors", "transforms"},
    "callbacks": {"checkpoint_io", "data", "errors", "loop_conditions", "plots", "signals", "transforms"},
    "checks": {"classifiers", "data", "errors", "models", "optimizers", "transforms"},
    "shipped": set(),
    "experiments": {"command_line", "errors", "lightning_cli", "runs", "settings", "shipped"},
    "reports": {
        "callbacks",
        "checkpoints",
        "classifiers",
        "data",
        "errors",
        "experiments",
        "models",
        "plots",
        "registry",
        "runs",
        "settings",
        "transforms",
    },
    "commands": {
        "checkpoints",
        "checks",
        "classifiers",
        "cli",
        "data",
        "errors",
        "experiments",
        "explanation_plots",
        "explanations",
        "exporting",
        "plots",
        "lightning_cli",
        "models",
        "reports",
        "runs",
        "settings",
        "shipped",
    },
}


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files_of(part: str) -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / f"{part}.py"]


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part):
    for path in files_of(part):
        ours = {m.split(".")[1] for m in imports_of(path) if m.startswith("lit_cnn.")}
        assert ours - {part} <= MAY_IMPORT[part], path


@pytest.mark.parametrize(
    "part", ["models", "transforms", "plots", "explanations", "explanation_plots", "losses", "optimizers"]
)
def test_networks_transforms_and_plots_import_no_lightning(part):
    for path in files_of(part):
        assert not [m for m in imports_of(path) if m.startswith(("lightning", "pytorch_lightning"))], path


def test_files_can_be_read_in_one_sitting():
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert long == {}


def test_every_name_that_others_import_is_there():
    for name in lit_cnn.__all__:
        assert getattr(lit_cnn, name) is not None
    homes = {name for names in lit_cnn._HOMES.values() for name in names}
    assert homes | {"models"} == set(lit_cnn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'LitNothing'"):
        _ = lit_cnn.LitNothing


def test_docstring_examples_run():
    import doctest

    tried = 0
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not module.endswith("__main__"):
            result = doctest.testmod(importlib.import_module(module.removesuffix(".__init__")))
            assert result.failed == 0, module
            tried += result.attempted
    assert tried >= 8


@pytest.mark.parametrize("name", CONFIGS)
def test_config_is_a_complete_run_with_a_header(name, lit_cnn):
    path = CONFIGS[name]
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for what in ("Result:", "Time:", f"python -m lit_cnn fit --config configs/{name}.yaml"):
        assert any(what in line for line in header), what
    printed = lit_cnn("fit", "--config", path, "--print_config")
    assert printed.code == 0, printed.err
    assert set(yaml.safe_load(path.read_text())) <= set(yaml.safe_load(printed.out))


def _within(part, whole):
    if isinstance(part, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    return part == whole


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlay_goes_on_top_of_a_config(name, lit_cnn):
    printed = lit_cnn("fit", "--config", "quickstart", "--config", OVERLAYS[name], "--print_config")
    assert printed.code == 0, printed.err
    for section, content in yaml.safe_load(OVERLAYS[name].read_text()).items():
        assert _within(content, yaml.safe_load(printed.out)[section]), section


def test_sections_are_those_of_the_parser(lit_cnn):
    printed = yaml.safe_load(lit_cnn("fit", "--config", "quickstart", "--print_config").out)
    assert set(printed) <= set(sections())


def test_configs_are_tabulated():
    table = (ROOT / "configs" / "README.md").read_text()
    assert [name for name in (*CONFIGS, *OVERLAYS) if f"`{name}`" not in table] == []


def test_every_augmentation_is_documented():
    text = (ROOT / "docs" / "augmentations.md").read_text()
    ours = [c.__name__ for c in subclasses_of(Augmentation) if c.__module__.startswith("lit_cnn.")]
    assert [name for name in ours if f"| `{name}" not in text] == []


def test_readme_names_what_exists():
    readme = (ROOT / "README.md").read_text()
    for line in readme.splitlines():
        if line.startswith("python -m lit_cnn fit"):
            assert any(f"configs/{name}.yaml" in line or f"--config {name}" in line for name in CONFIGS), line
    for name in ("LitVGG", "CIFAR10DataModule", "lit_cnn.load"):
        assert name in readme
