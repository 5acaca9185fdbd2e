"""The order of the house: which way imports run, and that configs, names and README agree."""

import importlib
from pathlib import Path

import pytest
import yaml
from importlinter.cli import lint_imports

import lit_cnn
from lit_cnn.cli.known_settings import family_of, sections
from lit_cnn.cli.shipped_configs import shipped_configs
from lit_cnn.models.registry import ARCHITECTURES
from lit_cnn.transforms import Augmentation
from lit_cnn.typed_arguments import subclasses_of

PACKAGE = Path(lit_cnn.__file__).parent
ROOT = PACKAGE.parent
CONFIGS = {name: path for name, path in shipped_configs().items() if "/" not in name}
RECIPES = {name: path for name, path in shipped_configs().items() if name.startswith("recipes/")}
OVERLAYS = {name: path for name, path in shipped_configs().items() if name.startswith("overlays/")}

LOOSE = {
    "__init__",
    "__main__",
    "cores",
    "devices",
    "errors",
    "files",
    "keyed_random",
    "own_code",
    "sizes",
    "typed_arguments",
    "version",
}


def test_imports_run_one_way(capfd):
    # the contracts in pyproject.toml: the order of the rooms, and who knows nothing of Lightning
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == 0, capfd.readouterr().out


def test_script_shows_the_rooms_and_no_import_upward(capsys):
    from scripts.house import main

    assert main() == 0
    assert " 0 upward" in capsys.readouterr().out


def test_only_what_everything_uses_lies_loose():
    assert {path.stem for path in PACKAGE.glob("*.py")} <= LOOSE


def test_files_can_be_read_in_one_sitting():
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert long == {}


def test_every_name_that_others_import_is_there():
    for name in lit_cnn.__all__:
        assert getattr(lit_cnn, name) is not None
    with pytest.raises(AttributeError, match="LitNothing"):
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


# The last network of each family; settings of a class do not depend on the name.
FAMILIES = dict(family_of(name) for name in ARCHITECTURES)


@pytest.mark.parametrize("family", FAMILIES)
def test_recipe_takes_any_family(family, lit_cnn):
    variant = [word for key, name in FAMILIES[family].items() for word in (f"--model.{key}", name)]
    printed = lit_cnn("fit", "--config", "recipes/cifar", "--model", family, *variant, "--print_config")
    model = yaml.safe_load(printed.out)["model"]
    assert model["class_path"] == f"lit_cnn.{family}"
    assert FAMILIES[family].items() <= model["init_args"].items()
    recipe = yaml.safe_load(RECIPES["recipes/cifar"].read_text())["model"]["init_args"]
    assert _within({key: value for key, value in recipe.items() if key != "name"}, model["init_args"])


def test_configs_of_the_recipe_change_the_network_the_optimizer_and_the_budget_only():
    recipe = yaml.safe_load(RECIPES["recipes/cifar"].read_text())
    by_the_recipe = [name for name, path in CONFIGS.items() if "recipes/cifar" in path.read_text()]
    assert len(by_the_recipe) >= 13
    for name in by_the_recipe:
        config = yaml.safe_load(CONFIGS[name].read_text())
        size = config["data"]["init_args"].pop("image_size", 32)
        assert config["data"]["init_args"]["augment"][0]["init_args"].pop("padding") == size // 8, name
        recipe["data"]["init_args"]["augment"][0]["init_args"].pop("padding", None)
        own = ("name", "residual", "lr", "optimizer", "optimizer_args")
        for one in (config, recipe):
            one["model"]["init_args"] = {k: v for k, v in one["model"]["init_args"].items() if k not in own}
            one["model"].pop("class_path", None)
            one["trainer"].pop("max_epochs", None)
            one["data"]["init_args"].pop("batch_size", None)
        assert config == recipe, name


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
    assert [name for name in (*CONFIGS, *RECIPES, *OVERLAYS) if f"`{name}`" not in table] == []


def test_every_augmentation_is_documented():
    text = (ROOT / "docs" / "augmentations.md").read_text()
    ours = [c.__name__ for c in subclasses_of(Augmentation) if c.__module__.startswith("lit_cnn.")]
    assert [name for name in ours if f"| `{name}" not in text] == []
