"""Allowed imports in configs; nothing else is imported or run because a config names it."""

import sys
from pathlib import Path

import pytest
import yaml

from lit_cnn.cli.command_line import given_settings
from lit_cnn.cli.safe_yaml import DEEPEST

EVIL = """from pathlib import Path
Path("ran").touch()
from lit_cnn import LitMLP

class LitTheirs(LitMLP):
    pass
"""


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that leaves a mark as soon as it is imported."""
    (tmp_path / "evil_module.py").write_text(EVIL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("LIT_CNN_ALLOW", raising=False)
    yield "evil_module.LitTheirs"
    sys.modules.pop("evil_module", None)


def popen(**init_args):
    return yaml.safe_dump([{"class_path": "subprocess.Popen", "init_args": init_args}])


PATHS = [
    (["--model", "evil_module.LitTheirs"], "model (command line) names evil_module.LitTheirs"),
    (["--model.help", "evil_module.LitTheirs"], "names evil_module.LitTheirs"),
    (["--data", "evil_module.Data"], "data (command line) names evil_module.Data"),
    (["--data.augment", "[evil_module.Flip]"], "data.augment (command line) names evil_module.Flip"),
    (["--trainer.callbacks+=evil_module.Callback"], "trainer.callbacks (command line) names evil_module.Callback"),
    (["--trainer.logger", "evil_module.Logger"], "trainer.logger (command line) names evil_module.Logger"),
    (["--trainer.plugins", "[evil_module.Plugin]"], "trainer.plugins (command line) names evil_module.Plugin"),
    (["--trainer.strategy", "evil_module.Strategy"], "evil_module.strategy"),
    (["--trainer.profiler", "evil_module.Profiler"], "profiler"),
    (["--trainer.accelerator", "evil_module.Accelerator"], "evil_module.Accelerator"),
    (["--trainer.callbacks", popen(args=["touch", "ran"])], "names subprocess.Popen"),
    (["--trainer.callbacks", popen(args="touch ran", shell=True)], "names subprocess.Popen"),
    (["--trainer.callbacks", '[{class_path: builtins.eval, init_args: {source: "1"}}]'], "names builtins.eval"),
    (["--model", "os.system"], "names os.system"),
    (["--model", "torch.hub.load"], "names torch.hub.load"),
    (["--model", "torch.load"], "names torch.load"),
    (["--model", "lit_cnn.load"], "names lit_cnn.load"),
    (["--model", "lit_cnn.cli.main.run"], "names lit_cnn.cli.main.run"),
    (["--model", "jsonargparse.set_parsing_settings"], "names jsonargparse.set_parsing_settings"),
    # What an allowed module has imported itself is where it was defined.
    (["--model", "torch.nn.modules.module.torch.load"], "names torch.serialization.load"),
    (["--model", "lit_cnn.data.cache.os.system"], "names posix.system"),
    (["--model", "lit_cnn.data.cache.shutil.rmtree"], "names shutil"),
]


@pytest.mark.parametrize(("argv", "message"), PATHS, ids=[" ".join(p[0])[:60] for p in PATHS])
def test_a_class_path_that_is_not_allowed_is_not_imported(lit_cnn, evil, argv, message):
    outcome = lit_cnn("fit", "--config", "quickstart", "--trainer.max_epochs", 1, *argv)
    lines = [line for line in outcome.err.splitlines() if not line.startswith("Seed set to")]
    assert outcome.code == 2, outcome.err
    assert message in " ".join(lines)
    assert 1 <= len(lines) <= 3
    assert not Path("ran").exists()
    assert "evil_module" not in sys.modules


def test_the_user_may_allow_a_package_for_one_command(lit_cnn, evil, monkeypatch):
    argv = ("fit", "--config", "quickstart", "--model", evil, "--print_config")
    refused = lit_cnn(*argv)
    assert refused.code == 2
    assert "If you trust it: --allow evil_module, or LIT_CNN_ALLOW=evil_module." in refused.err
    monkeypatch.setenv("LIT_CNN_ALLOW", "other_package, evil_module")
    allowed = lit_cnn(*argv)
    assert allowed.code == 0, allowed.err
    assert yaml.safe_load(allowed.out)["model"]["class_path"] == evil
    monkeypatch.delenv("LIT_CNN_ALLOW")
    assert lit_cnn("fit", "--config", "quickstart", "--data", "evil_module.Data").code == 2


@pytest.mark.parametrize("value", ["a package", "*", "my/package", "jsonargparse"])
def test_only_packages_can_be_allowed(lit_cnn, monkeypatch, value):
    monkeypatch.setenv("LIT_CNN_ALLOW", value)
    outcome = lit_cnn("fit", "--config", "quickstart", "--print_config")
    assert outcome.code == 2
    assert f"LIT_CNN_ALLOW: {value!r} is not a package" in outcome.err


def test_classes_of_a_run_may_be_given_by_their_full_path(lit_cnn):
    parts = {
        "callbacks": ["lightning.pytorch.callbacks.EarlyStopping", "lightning.pytorch.callbacks.LearningRateMonitor"],
        "logger": "lightning.pytorch.loggers.CSVLogger",
        "plugins": ["lit_cnn.SafeCheckpointIO"],
        "profiler": "lightning.pytorch.profilers.SimpleProfiler",
    }
    parts["callbacks"] = [{"class_path": path} for path in parts["callbacks"]]
    parts["callbacks"][0]["init_args"] = {"monitor": "val/acc"}
    parts["logger"] = {"class_path": parts["logger"], "init_args": {"save_dir": "logs"}}
    parts["profiler"] = {"class_path": parts["profiler"]}
    Path("parts.yaml").write_text(yaml.safe_dump({"trainer": parts}))
    outcome = lit_cnn("fit", "--config", "quickstart", "--config", "parts.yaml", "--print_config")
    assert outcome.code == 0, outcome.err


NESTED = "a: " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)
LAUGHS = "a0: &a0 [ha, ha, ha]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
YAML = {
    "object": (b"model: !!python/object/apply:os.system ['touch ran']\n", "line 1: the tag !!python/object/apply:os.s"),
    "name": (b"a: 1\nmodel: !!python/name:os.system\n", "line 2: the tag !!python/name:os.system is not allowed"),
    "tuple": (b"data: !!python/tuple [1, 2]\n", "the tag !!python/tuple is not allowed"),
    "own tag": (b"data: !mine 3\n", "the tag !mine is not allowed"),
    "key twice": (
        b"name: a\ntrainer:\n  max_epochs: 1\n  max_epochs: 2\n",
        "line 4: the key max_epochs occurs",
    ),
    "section twice": (
        b"trainer: {}\nname: a\ntrainer: {}\n",
        "the key trainer occurs twice, first in line 1",
    ),
    "laughs": (LAUGHS.encode(), "its aliases stand for"),
    "alias of itself": (b"a: &a [*a]\n", "an alias contains itself"),
    "nested": (NESTED.encode(), f"nested more than {DEEPEST} levels deep"),
    "very nested": (b"a: " + b"[" * 100_000, " nest"),
    "tab": (b"trainer:\n\tmax_epochs: 1\n", ". There is a tab; indent with spaces."),
    "not UTF-8": ("name: Stra\xdfe\n".encode("latin1"), "is not text in UTF-8 (byte 10)"),
    "binary": (bytes(range(128)), "is not valid YAML: "),
    "empty": (b"", "it is empty"),
    "comments alone": (b"# nothing\n", "it is empty"),
    "list": (b"- trainer\n- model\n", "it contains a list"),
    "text": (b"trainer", "it contains a text"),
    "two documents": (b"name: a\n---\nname: b\n", "is not valid YAML: line 2"),
    "list as a key": (b"[a, b]: 1\n", "a key has to be a text"),
    "huge number": (b"seed_everything: " + b"9" * 5000, "is not valid YAML: a value in it cannot be read: "),
    "huge file": (b"# much\n" * 200_000, "too many for a config"),
    "cut off": (b"model: {class_path: LitMLP", "is not valid YAML: line "),
}


@pytest.mark.parametrize("name", YAML)
def test_a_config_with_other_than_plain_values_is_refused(lit_cnn, name):
    content, message = YAML[name]
    Path("bad.yaml").write_bytes(content)
    outcome = lit_cnn("fit", "--config", "quickstart", "--config", "bad.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("error: bad.yaml ")
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not Path("ran").exists()


def test_values_that_are_yaml_are_read_as_safely_as_configs(lit_cnn):
    Path("part.yaml").write_text("class_path: !!python/object/apply:os.system ['touch ran']\n")
    for flag, value in (
        ("--model", "part.yaml"),
        ("--model", "!!python/object/apply:os.system ['touch ran']"),
        ("--model.optimizer_args", "{weight_decay: 1, weight_decay: 2}"),
    ):
        outcome = lit_cnn("fit", "--config", "quickstart", flag, value)
        assert outcome.code == 2
        assert len(outcome.err.splitlines()) <= 3
        assert not Path("ran").exists()


def test_anchors_that_are_plain_stay_allowed(lit_cnn):
    Path("good.yaml").write_text("seed_everything: &seed 7\ndata:\n  init_args: {split_seed: *seed}\n")
    outcome = lit_cnn("fit", "--config", "quickstart", "--config", "good.yaml", "--print_config")
    assert yaml.safe_load(outcome.out)["data"]["init_args"]["split_seed"] == 7
    Path("merged.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")
    assert {s.key: s.value for s in given_settings(["--config", "merged.yaml"])}["b"] == {"x": 1, "y": 3}
