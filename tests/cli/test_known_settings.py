"""Settings read from source code equal those of the parser; wrong ones are refused before torch is imported."""

import gc
import subprocess
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from lit_cnn import LitVGG
from lit_cnn.cli import safe_yaml
from lit_cnn.cli.arguments import add_arguments, try_whole_numbers_first
from lit_cnn.cli.known_settings import (
    BRANCHES,
    DEFAULT_OPTIMIZER,
    NAMED,
    PARTS,
    UNCLEAR,
    choices,
    classes_of,
    family_of,
    home_of,
    parameters,
    sections,
    settings_of,
)
from lit_cnn.cli.limits import out_of_range
from lit_cnn.cli.messages import SYNONYMS
from lit_cnn.cli.parser import ParseError, Parser
from lit_cnn.cli.quick_check import check
from lit_cnn.cli.shipped_configs import shipped_configs
from lit_cnn.cli.trainer import LitCLI  # which makes all classes known
from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError
from lit_cnn.models import ARCHITECTURES
from lit_cnn.runs.settings import LINKED
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms import Augmentation, View
from lit_cnn.typed_arguments import fits, has_range, subclasses_of

BASES = {"model": LitClassifier, "data": ImageDataModule, "data.augment": Augmentation, "data.views": View}
CHOSEN = ["--model", "LitVGG", "--data", "SyntheticDataModule"]
VALUES = ["three", "3", "0", "-1", "2.5", "1e3", "nan", "true", "None", "[1, 2]", "{a: 1}", "auto", "16-mixed", "1:30"]


@pytest.fixture(scope="module")
def parser():
    """The parser of `fit`, made of the classes themselves."""
    parser = Parser()
    parser.add_argument("--seed_everything", type=bool | int, default=0)
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.add_lightning_class_args(LitClassifier, "model", subclass_mode=True)
    parser.add_lightning_class_args(ImageDataModule, "data", subclass_mode=True)
    parser.add_method_arguments(Trainer, "fit", skip=LitCLI.subcommands()["fit"])
    add_arguments(parser)
    return parser


@pytest.fixture(scope="module")
def parser_of_the_trainer():
    """A parser of the Trainer's settings only, which is faster."""
    parser = Parser()
    parser.add_lightning_class_args(Trainer, "trainer")
    try_whole_numbers_first(parser)
    return parser


@pytest.mark.parametrize("branch", BRANCHES)
def test_classes_read_from_source_are_those_that_can_be_made(branch):
    made = {c.__name__ for c in subclasses_of(BASES[branch]) if c.__module__.startswith("lit_cnn.")}
    assert set(classes_of(branch)) == made


def test_settings_read_from_source_are_those_of_the_parser(parser):
    def accepted(model, data):
        return parser.parse_args(["--model", model, "--data", data]).as_dict()

    for model, source in classes_of("model").items():
        settings = accepted(model, "MNISTDataModule")["model"]["init_args"]
        assert set(parameters(model, source)) - {"net", *LINKED} == set(settings) - set(LINKED)
    for data, source in classes_of("data").items():
        assert set(parameters(data, source)) == set(accepted("LitMLP", data)["data"]["init_args"])
    config = accepted("LitMLP", "MNISTDataModule")
    for section in ("trainer", *PARTS):
        assert [set(known) for known in settings_of(section)] == [set(config[section])], section
    of_verbs = {
        name
        for verb, skipped in LitCLI.subcommands().items()
        for name in signature(getattr(Trainer, verb)).parameters.keys() - skipped - {"self"}
    }
    assert set(sections()) - {"config", "print_config", "help"} == set(config) | of_verbs


def test_most_types_are_read_from_source():
    for section, least in (("trainer", 35), ("checkpoint", 14), ("pictures", 3)):
        assert sum(known.type is not UNCLEAR for known in settings_of(section)[0].values()) >= least
    for branch in ("model", "data"):
        for known in settings_of(branch):
            assert sum(kind.type is UNCLEAR for kind in known.values()) <= 2


def _accepts(judge, *args) -> bool:
    try:
        judge(*args)
    except (ParseError, ConfigError):
        return False
    return True


def _out_of_own_range(kind, text) -> bool:
    """Whether a value is out of the range that the argument's annotation gives it, which the constructor checks too."""
    return has_range(kind) and not fits(safe_yaml.value_of(text), kind)


MANY = [pytest.param(section, marks=pytest.mark.slow) for section in ("model", "checkpoint")]


@pytest.mark.parametrize("section", ["trainer", "data", "", *MANY])
def test_the_early_check_refuses_nothing_that_the_parser_accepts(parser, parser_of_the_trainer, section):
    parsing, needed = (parser_of_the_trainer, []) if section == "trainer" else (parser, CHOSEN)
    classes = {"model": CHOSEN[1:2], "data": CHOSEN[3:]}
    kinds = settings_of(section, classes.get(section, ()))[0] if section else sections()
    others = {*LINKED, "resume", "ckpt_path", "optimizer", "scheduler", "optimizer_args"}  # the last are of classes
    plain = [key for key, kind in kinds.items() if kind.type is not UNCLEAR and key not in others]
    if not section:
        plain = [key for key in plain if key not in ("verbose", "return_predictions")]
    refused = 0
    for key in plain:
        for value in VALUES:
            flag = f"--{section + '.' if section else ''}{key}={value}"
            early = _accepts(check, ["check", *CHOSEN, flag])
            ours = out_of_range(f"{section}.{key}".lstrip("."), value) or _out_of_own_range(kinds[key].type, value)
            assert early or ours or not _accepts(parsing.parse_args, [*needed, flag]), flag
            refused += not early
    assert refused > 3 * len(plain)


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_configs_pass_the_early_check(name):
    given = [name] if not name.startswith("overlays/") else ["quickstart", name]
    assert check(["fit", *given])[0][:2] == ["fit", "--config"]


def test_a_setting_that_a_later_one_replaces_is_left_to_the_parser():
    Path("bad.yaml").write_text("trainer: {max_epochs: many}")
    with pytest.raises(ConfigError, match=r"trainer.max_epochs: many \(bad.yaml\)"):
        check(["fit", "quickstart", "bad.yaml"])
    check(["fit", "quickstart", "bad.yaml", "--trainer.max_epochs", "3"])


def test_classes_of_a_program_and_of_other_packages_are_left_to_the_parser():
    class LitOfMine(LitClassifier):
        def __init__(self, depth: int, **kwargs):
            super().__init__(None, 10, **kwargs)

    check(["fit", "quickstart", "--model", "LitOfMine", "--model.depth", "3"])
    check(["fit", "quickstart", "--model", "mine.LitMine", "--model.anything", "x", "--data", "Mine", "--data.y", "3"])
    del LitOfMine
    gc.collect()  # no test after this one meets it


@pytest.mark.parametrize("key", NAMED)
def test_classes_of_torch_and_lightning_read_from_source_are_those_that_are_there(key):
    modules, base, _ = NAMED[key]
    there = [value for name in modules for value in vars(import_module(name)).items() if not value[0].startswith("_")]
    kind = getattr(import_module(modules[0]), base)
    classes = {
        name for name, value in there if isinstance(value, type) and issubclass(value, kind) and value is not kind
    }
    ours = {"EMA", "Lookahead"} if key == "trainer.callbacks" else set()
    # Lightning's LitLogger is of Fabric's class of the same name.
    assert classes - ours == set(choices(key)) - ours - {"LitLogger"}


def test_the_default_optimizer_is_that_of_the_lit_classes():
    found = {signature(cls).parameters["optimizer"].default for cls in (LitClassifier, LitVGG)}
    assert found == {DEFAULT_OPTIMIZER}


def test_every_network_has_a_family():
    for name in ARCHITECTURES:
        family, settings = family_of(name)
        assert family in classes_of("model")
        assert settings in ({}, {"name": name})


def test_synonyms_stand_for_settings_that_there_are():
    for meant in SYNONYMS.values():
        branch, _, leaf = meant.partition(".")
        known = settings_of(branch) if leaf else [sections()]
        assert any(leaf.partition(".")[0] in each for each in known) or branch in known[0], meant


HINTS = {
    "--lr 0.1": "Did you mean --model.lr?",
    "--learning_rate 0.1": "Did you mean --model.lr?",
    "--model.learning_rate 0.1": "Did you mean --model.lr?",
    "--trainer.lr 0.1": "Did you mean --model.lr?",
    "--max_epochs 3": "Did you mean --trainer.max_epochs?",
    "--epochs 3": "Did you mean --trainer.max_epochs?",
    "--trainer.epochs 3": "Did you mean --trainer.max_epochs?",
    "--batch_size 32": "Did you mean --data.batch_size?",
    "--batchsize 32": "Did you mean --data.batch_size?",
    "--gpus 1": "Did you mean --trainer.devices?",
    "--trainer.gpus 1": "Did you mean --trainer.devices?",
    "--seed 1": "Did you mean --seed_everything?",
    "--weight_decay 1e-4": "Did you mean --model.optimizer_args.weight_decay?",
    "--dataset MNIST": "Did you mean --data?",
    "--trainer.max_epoch 3": "Did you mean 'max_epochs'?",
    "--model.name vgg16": "LitLeNet has no such argument; fit --model.help LitLeNet lists its arguments.",
    "--model LitVGGG": "there is no class LitVGGG (command line). Did you mean",
    "--model lit_cnn.LitVgg": "there is no class lit_cnn.LitVgg (command line). Did you mean 'LitVGG'?",
    "--model vgg16": "Use --model LitVGG --model.name vgg16.",
    "--data MNIST": "Did you mean 'MNISTDataModule'?",
    "--data.augment+=RandomFlp": "Did you mean 'RandomFlip'?",
    "--model.lr fast": "model.lr: fast (command line) has to be a number above 0.",
    "--trainer.max_epochs three": "trainer.max_epochs: three (command line) has to be a whole",
    "--model.lr -1": "model.lr: -1 (command line) has to be a number above 0.",
    "--model.hidden=[120,0]": "has to be a list such as [1, 2] (each a whole number from 1 up).",
    "--data.batch_size 0": "data.batch_size: 0 (command line) has to be a whole number from 1 up.",
    "--model.optimizer Addam": "model.optimizer: there is no class Addam (command line). Did you mean 'Adam'?",
    "--model.optimizer_args.bets 1": "_args: Adam has no argument bets (command line). Did you mean 'betas'?",
    "--model.scheduler OneCycle": "Did you mean 'OneCycleLR'?",
    "--trainer.logger WandLogger": "there is no class WandLogger (command line). Did you mean 'WandbLogger'?",
    "--trainer.logger=[CSVLogger,false]": "has to be one logger, a list of loggers, or true or false.",
    "--trainer.callbacks+=EarlyStoping": "Did you mean 'EarlyStopping'?",
    "--trainer.devices x": "trainer.devices: x (command line) has to be auto, a number such as 2, or a list",
    "--trainer.accelerator gpuu": "has to be auto, cpu, gpu, cuda, mps or tpu.",
    "quickstrat": "quickstrat is neither a config nor a flag. Did you mean 'quickstart'?",
    "model.lr=0.1": "Settings are flags: --model.lr=0.1",
    "LitVGG": "Use --model LitVGG.",
}


@pytest.mark.parametrize("typed", HINTS)
def test_misspelt_settings_are_answered_with_the_right_ones(typed):
    with pytest.raises(ConfigError) as refused:
        check(["fit", "quickstart", *typed.split(" ", 1)])
    assert HINTS[typed] in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


IMAGE_SIZE = "a whole number from 1 up, a pair such as [1, 2] (each a whole number from 1 up) or null"
KINDS = {
    **dict.fromkeys((f"data.image_size={value}" for value in ("x", "1.5", "28x28", "[8]", "[8, x]", "0")), IMAGE_SIZE),
    "data.train_size=0.5": "a whole number from 1 up or null",
    "data.permute_seed=sed": "a whole number or the word seed. Did you mean 'seed'?",
    "trainer.limit_val_batches=x": "a number or null",
    "trainer.precision=17": "one of 64, 32, 16, transformer-engine, transformer-engine-float16, 16-true, 16-mixed",
    "checkpoint.train_time_interval=x": "a time such as 0:30:00 or null",
    "model.class_weights=[a]": "the word balanced, a list such as [0.1, 0.2] (each a number), a dict",
    "model.param_groups=3": "a list (each a dict such as {a: 1}) or null",
    "data.augment=[{class_path: RandomErasing, init_args: {area: [1]}}]": "a pair such as [0.1, 0.2] (each a number)",
}


@pytest.mark.parametrize("typed", KINDS)
def test_a_value_of_another_type_is_answered_in_the_words_of_a_config(typed):
    with pytest.raises(ConfigError) as refused:
        check(["fit", "quickstart", f"--{typed}"])
    assert f" (command line) has to be {KINDS[typed]}" in str(refused.value)


@pytest.mark.parametrize("setting", ["permute: {a: true}", "train_size: [1, x, null]"])
def test_a_value_is_shown_as_in_the_config(tmp_path, setting):
    config = tmp_path / "mine.yaml"
    config.write_text(f"data:\n  class_path: SampleDataModule\n  init_args:\n    {setting}\n")
    with pytest.raises(ConfigError) as refused:
        check(["fit", "quickstart", "--config", str(config)])
    assert str(refused.value).startswith(f"data.{setting} ({config}) has to be ")


HEAVY = """
import sys
from lit_cnn.cli.main import main
for argv in {argvs!r}:
    assert main(argv) in (2, 4), argv
heavy = {{"torch", "lightning", "torchmetrics", "torchvision", "matplotlib", "numpy"}} & set(sys.modules)
assert not heavy, heavy
"""


def test_wrong_settings_are_answered_before_torch_is_imported():
    typed = [["fit", "quickstart", *hint.split(" ", 1)] for hint in HINTS]
    typed += [["fot"], ["fit"], ["test", "quickstart"], ["test", "nowhere"], ["fit", "--resume", "nowhere"]]
    typed += [["check", "quickstart", "--lr", "1"], ["fit", "--config", "nowhere"], ["fit", "--config=nowhere"]]
    typed += [["demo", "nowhere"], ["report", "nowhere"], ["compare", "nowhere", "nowhere"]]
    typed += [["export", "nowhere", "--format", "pt2"], ["verify", "--weights", "nowhere"]]
    done = subprocess.run([sys.executable, "-c", HEAVY.format(argvs=typed)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("error: ") == len(typed)


def test_a_config_may_be_given_bare_and_flags_win_wherever_they_stand(lit_cnn):
    bare = lit_cnn("fit", "--model.lr", "0.5", "configs/quickstart.yaml", "overlays/debug", "--print_config")
    assert bare.code == 0, bare.err
    assert "lr: 0.5" in bare.out
    named = lit_cnn("fit", "--config=quickstart", "-c", "overlays/debug", "--print_config", "--model.lr=0.5")
    assert named.out == bare.out


@pytest.mark.parametrize("text", ["evaluation: false", "checkpoint: null", "pictures: [1]", "trainer: [1]"])
def test_a_section_without_settings_is_refused(tmp_path, text):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ConfigError, match="has to contain settings"):
        check(["fit", "--config", "quickstart", "--config", str(tmp_path / "odd.yaml")])


def test_null_counts_as_not_given():
    check(["fit", "--config", "quickstart", "--data.augment", "null", "--ckpt_path", "null"])


def test_classes_of_lit_cnn_that_a_config_may_name_are_imported_for_the_parser():
    classes = [*(home for branch in BRANCHES for home in classes_of(branch).values())]
    classes += [home for key in NAMED if (homes := (home_of(key, name) for name in choices(key))) for home in homes]
    ours = {home for home in classes if home.startswith("lit_cnn.")}
    assert {"lit_cnn.callbacks.lookahead", "lit_cnn.training.muon"} <= ours
    code = f"import sys, lit_cnn.cli.trainer; print(*({ours!r} - sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
