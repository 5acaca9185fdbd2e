import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import yaml
from conftest import SMALL, run_folder, run_once

from lit_cnn import SyntheticDataModule
from lit_cnn.data.module import ImageDataModule
from lit_cnn.training.classifier import LitClassifier


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    return run_once(tmp_path_factory.mktemp("trained"), "--model", "LitLeNet", *SMALL)


@pytest.fixture
def trained(trained_once):
    return shutil.copytree(trained_once, Path("logs/LitLeNet/version_0"))


def test_fit_leaves_everything_in_the_run_folder(trained_once, trained):
    assert trained_once.parts[-3:] == trained.parts
    names = {p.relative_to(trained).as_posix() for p in trained.rglob("*") if "events" not in p.name}
    assert {
        "config.yaml",
        "metrics.csv",
        "results.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    } <= names
    results = json.loads((trained / "results.json").read_text())
    assert all(0 <= results[f"{split}/acc"] <= 1 for split in ("train", "val", "test"))
    assert (results["train_images"], results["val_images"], results["test_images"]) == (270, 30, 103)
    assert (results["epochs"], results["steps"], results["seed"]) == (2, 18, 0)
    for split in ("train", "val", "test"):  # in float64, of whole numbers that stand beside it
        right, n = results[f"{split}/correct"], results[f"{split}_images"]
        assert isinstance(right, int)
        assert results[f"{split}/acc"] == right / n
    rows = list(csv.DictReader((trained / "metrics.csv").read_text().splitlines()))
    val = [float(r["val/acc"]) for r in rows if r["val/acc"]]
    assert len(val) == 2
    assert not [name for name in rows[0] if "correct" in name or "images" in name]
    assert results["val/acc"] == max(val)
    assert results["epoch"] == val.index(max(val)) + 1


def test_summary_names_the_hardest_classes(lit_cnn):
    out = lit_cnn("fit", "--model", "LitLeNet", *SMALL, "--data.num_classes", 5).out
    per_class = json.loads((run_folder(out) / "results.json").read_text())
    accuracies = {k.removeprefix("test/acc_of/"): v for k, v in per_class.items() if k.startswith("test/acc_of/")}
    assert len(accuracies) == 5
    assert all(float(Fraction(share).limit_denominator(1000)) == share for share in accuracies.values())
    (line,) = [line for line in out.splitlines() if line.startswith("hardest classes: ")]
    named = [part.rpartition(" ")[0] for part in line.removeprefix("hardest classes: ").split(", ")]
    assert [accuracies[name] for name in named] == sorted(accuracies.values())[:3]


def test_the_same_config_gives_the_same_figures(lit_cnn, trained):
    outcome = lit_cnn("fit", "--config", trained / "config.yaml")
    again = run_folder(outcome.out)
    assert again == Path("logs/LitLeNet/version_1")
    first, second = (json.loads((f / "results.json").read_text()) for f in (trained, again))
    for values in (first, second):
        values.pop("fit_seconds")
    assert first == second
    other = lit_cnn("fit", "--config", trained / "config.yaml", "--seed_everything", 1)
    assert json.loads((run_folder(other.out) / "results.json").read_text())["test/nll"] != first["test/nll"]


def test_verbs_give_the_figures_of_fit(lit_cnn, trained):
    results = json.loads((trained / "results.json").read_text())
    test = lit_cnn("test", "--config", trained / "config.yaml", "--ckpt_path", trained)
    assert test.code == 0
    assert json.loads(Path("logs/LitLeNet/test_0/results.json").read_text())["test/nll"] == results["test/nll"]
    validate = lit_cnn(
        "validate", "--config", trained / "config.yaml", "--ckpt_path", trained / "checkpoints/best.ckpt"
    )
    assert validate.code == 0
    assert json.loads(Path("logs/LitLeNet/validate_0/results.json").read_text())["val/nll"] == results["val/nll"]
    predict = lit_cnn("predict", "--config", trained / "config.yaml", "--ckpt_path", trained)
    assert predict.code == 0
    rows = list(csv.DictReader(Path("logs/LitLeNet/predict_0/predictions.csv").read_text().splitlines()))
    assert len(rows) == 103
    assert sum(int(r["right"]) for r in rows) == round(results["test/acc"] * 103)
    assert all((r["predicted"] == r["label"]) == (r["right"] == "1") for r in rows)


def test_fit_without_test_leaves_the_test_images_alone(lit_cnn, monkeypatch):
    original = SyntheticDataModule.read
    read = []
    monkeypatch.setattr(SyntheticDataModule, "read", lambda self, split: read.append(split) or original(self, split))
    outcome = lit_cnn("fit", "--model", "LitLeNet", *SMALL, "--test_after_fit", "false")
    assert read == ["train"]
    assert "test/acc" not in json.loads((run_folder(outcome.out) / "results.json").read_text())


def test_fit_without_validation_tests_the_last_weights(lit_cnn):
    outcome = lit_cnn("fit", "--model", "LitLeNet", *SMALL, "--data.val_size", "0")
    assert outcome.code == 0
    folder = run_folder(outcome.out)
    assert [p.name for p in (folder / "checkpoints").iterdir()] == ["last.ckpt"]
    results = json.loads((folder / "results.json").read_text())
    assert results["epoch"] == 2
    assert "val/acc" not in results
    assert "test/acc" in results


def test_configs_are_merged_from_left_to_right(lit_cnn, tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"model": {"class_path": "LitMLP", "init_args": {"lr": 0.5}}}))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({"model": {"init_args": {"hidden": [3]}}, "seed_everything": 9}))
    outcome = lit_cnn(
        "fit", "--config", "a.yaml", "--config", "b.yaml", "--data", "SampleDataModule",
        "--model.optimizer", "SGD", "--print_config",
    )  # fmt: skip
    config = yaml.safe_load(outcome.out)
    model = config["model"]["init_args"]
    assert (model["lr"], model["hidden"], model["optimizer"]) == (0.5, [3], "SGD")
    assert config["seed_everything"] == 9
    assert "num_classes" not in model  # the data decides it


def test_shipped_configs_are_found_by_name(lit_cnn):
    by_name = lit_cnn("fit", "--config", "quickstart", "--print_config")
    by_path = lit_cnn("fit", "--config", "configs/quickstart.yaml", "--print_config")
    assert by_name.code == by_path.code == 0
    assert by_name.out == by_path.out


def test_fast_dev_run_keeps_nothing(lit_cnn):
    outcome = lit_cnn("fit", "--config", "quickstart", "--config", "overlays/debug")
    assert outcome.code == 0
    assert "Nothing was saved" in outcome.out
    assert not Path("logs").exists()


def test_garbage_collection_ignores_what_a_verb_imports():
    code = """
import gc
from lit_cnn.cli.main import import_once
first, frozen = import_once("colorsys"), gc.get_freeze_count()
more = [[] for _ in range(10)]
again = import_once("colorsys")
print(frozen > 1000, gc.get_freeze_count() == frozen, again is first, gc.isenabled())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "True True True True\n"


def test_help_names_the_verbs(lit_cnn):
    for argv in ([], ["--help"]):
        outcome = lit_cnn(*argv)
        assert outcome.code == 0
        for verb in ("fit", "validate", "test", "predict"):
            assert f"\n  {verb} " in outcome.out


def test_help_of_a_verb_explains(lit_cnn):
    outcome = lit_cnn("fit", "--model.help", "LitVGG")
    assert outcome.code == 0
    assert "Learning rate, above 0." in " ".join(outcome.out.split())


BAD_INPUT = [
    (["fot"], 2, "There is no verb 'fot'. Did you mean 'fit'?"),
    (["fit", ""], 2, "An argument is empty, '': perhaps a variable of the shell is not set."),
    (["fit", "--config", ""], 2, "'': there is no such config."),
    (["fit", "quickstart", "--name", ""], 2, "name: '' (command line) is empty. Give a value, or remove it."),
    (["fit"], 2, "Missing: model and data"),
    (["fit", "--config", "quickstar"], 2, "Did you mean 'quickstart'?"),
    (["--model.lrr", "0.1"], 2, "Unknown key model.lrr: 0.1 (command line). Did you mean 'lr'?"),
    (["--data.image_szie", "16"], 2, "Unknown key data.image_szie: 16 (command line). Did you mean 'image_size'?"),
    (
        ["--trainer.max_epoch", "3"],
        2,
        "Unknown key trainer.max_epoch: 3 (command line). Did you mean 'max_epochs'?",
    ),
    (["--model.lr", "abc"], 2, "model.lr: abc (command line) has to be a number above 0."),
    (["--model.lr=-1"], 2, "model.lr: -1 (command line) has to be a number above 0."),
    (["--model.loss", "hing"], 2, "has to be one of cross_entropy, nll, hinge"),
    (["--model", "LitVG"], 2, "there is no class LitVG (command line). Did you mean 'LitVGG'?"),
    (["--model", "torch.nn.Linear"], 2, "torch.nn.Linear (command line) is not a LitClassifier"),
    (["--model", "LitVGG"], 2, "needs images of at least 32 pixels, but got 28 x 28"),
    (["--model.num_classes", "3"], 2, "model.num_classes: 3 (command line) cannot be set"),
    (["--model.optimizer_args", "{momentm: 1}"], 2, "Adam has no argument momentm"),
    (
        ["--trainer.max_epochs", "many"],
        2,
        "trainer.max_epochs: many (command line) has to be a whole",
    ),
    (["--trainer.accelerator", "tpux"], 2, "tpux"),
    (["--data.batch_size", "5000"], 2, "`batch_size` is 5000, but there are only 3600 training images"),
    (["--data.augment+=RandomFlp"], 2, "there is no class RandomFlp (command line). Did you mean 'RandomFlip'?"),
    (
        ["--data.augment+=RandomFlip", "--data.augment.p", "2"],
        2,
        "RandomFlip's `p` has to be a probability from 0 to 1",
    ),
    (["--data.augment", "[RandomFlp]"], 2, "data.augment: there is no class RandomFlp (command line). Did you mean"),
    (["--data.augment", "RandomCrop"], 2, "RandomCrop (command line) has to be in a list: [RandomCrop]"),
    (
        ["--data.augment", "[{class_path: Cutout, init_args: {fill: pink}}]"],
        2,
        "data.augment.fill: pink (command line) has to be one of mean, black, noise.",
    ),
    (
        ["--data.augment", "[{class_path: RandomCrop, init_args: {padding: 30}}]"],
        2,
        "`padding` of 30 could move the whole image of 28 x 28 pixels out of sight. Use less than 28.",
    ),
    (
        ["--data.augment", "[{class_path: ColorJitter, init_args: {saturation: 0.4, hue: 0.1}}]"],
        2,
        "needs images of 3 channels, but these have 1. Set `saturation` and `hue` to 0.",
    ),
    (["--data", "MNISTDataModule", "--data.data_dir", "half"], 3, "half/MNIST/raw is incomplete"),
    (["--data", "ImageFolderDataModule", "--data.data_dir", "nowhere"], 3, "There is no folder"),
    (["--ckpt_path", "nowhere"], 4, "There is no checkpoint or run nowhere"),
    (["--ckpt_path", "text.ckpt"], 4, "text.ckpt cannot be read as a checkpoint"),
    (["test", "--config", "quickstart"], 4, "`test` needs a trained network"),
]


@pytest.mark.parametrize(("argv", "code", "message"), BAD_INPUT, ids=[" ".join(b[0]) for b in BAD_INPUT])
def test_bad_input_is_answered_in_three_lines(lit_cnn, argv, code, message):
    Path("text.ckpt").write_text("not a checkpoint")
    Path("half/MNIST/raw").mkdir(parents=True)
    Path("half/MNIST/raw/train-images-idx3-ubyte").write_bytes(b"")
    if argv[0].startswith("--"):
        argv = ["fit", "--config", "quickstart", *argv]
    outcome = lit_cnn(*argv)
    lines = [line for line in outcome.err.splitlines() if not line.startswith("Seed set to")]
    assert outcome.code == code
    assert message in " ".join(lines)
    assert 1 <= len(lines) <= 3
    assert "Traceback" not in outcome.err
    assert not list(Path().glob("logs/*/*")), "a refused run leaves no folder"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"init_args": {"lrr": 3}}}, "Unknown key model.lrr: 3 (bad.yaml). Did you mean 'lr'?"),
        ({"trainner": {}}, "Unknown key trainner: {} (bad.yaml). Did you mean 'trainer'?"),
        (
            {"trainer": {"max_epoch": 1}},
            "Unknown key trainer.max_epoch: 1 (bad.yaml). Did you mean 'max_epochs'?",
        ),
        ({"model": {"init_args": {"num_classes": 5}}}, "model.num_classes: 5 (bad.yaml) cannot be set"),
        ({"data": {"init_args": {"augment": [{"class_path": "RandomFlop"}]}}}, "Did you mean 'RandomFlip'?"),
        (
            {"data": {"init_args": {"augment": [{"class_path": "RandomFlip", "init_args": {"q": 1}}]}}},
            "augment.q: 1 (bad",
        ),
        (
            {"data": {"init_args": {"batch_size": 3.5}}},
            "data.batch_size: 3.5 (bad.yaml) has to be",
        ),
    ],
)
def test_bad_config_is_answered_with_key_value_and_file(lit_cnn, change, message):
    Path("bad.yaml").write_text(yaml.safe_dump(change))
    outcome = lit_cnn("fit", "--config", "quickstart", "--config", "bad.yaml")
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 3


def test_invalid_yaml_is_named(lit_cnn):
    Path("bad.yaml").write_text("a: [1")
    outcome = lit_cnn("fit", "--config", "bad.yaml")
    assert outcome.code == 2
    assert "not valid YAML" in outcome.err


def test_checkpoint_of_another_network_is_refused(lit_cnn, trained):
    outcome = lit_cnn("test", "--model", "LitMLP", *SMALL, "--ckpt_path", trained)
    assert outcome.code == 4
    assert "does not fit the config's LitMLP" in outcome.err


def test_cache_that_cannot_be_written_is_refused_before_training(lit_cnn, image_folder):
    Path("file").touch()
    refused = lit_cnn("fit", "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", image_folder,
                      "--data.batch_size", 8, "--data.cache_dir", "file/cache", "--trainer.max_epochs", 1)  # fmt: skip
    assert refused.code == 6
    assert f"cannot be used: {os.strerror(errno.ENOTDIR)}.\nSet another folder with --data.cache_dir" in refused.err
    assert not list(Path().glob("logs/*/*"))


def test_images_that_do_not_fit_the_gpu_are_refused_before_training(lit_cnn, monkeypatch):
    original = ImageDataModule._bring_to
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(ImageDataModule, "_bring_to", lambda data, _, split: original(data, gpu, split))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (6_000_000, 80_000_000_000))
    refused = lit_cnn("fit", "--config", "quickstart", "--data.resident", "true")
    assert refused.code == 2
    assert "`resident`: the images take 0.00314 GB, but cuda:0 has 0.006 GB free.\nRemove `resident`" in refused.err
    assert not list(Path().glob("logs/*/*"))


def test_image_folder_without_test_images_is_refused_before_training(lit_cnn, image_folder):
    for path in sorted((image_folder / "test").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (image_folder / "test").rmdir()
    argv = ("fit", "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", image_folder,
            "--data.batch_size", 8, "--trainer.max_epochs", 1, "--trainer.accelerator", "cpu")  # fmt: skip
    refused = lit_cnn(*argv, "--data.test_size", 0)
    assert refused.code == 3
    assert "since data.test_size is 0.\nRemove --data.test_size, or set --test_after_fit false" in refused.err
    assert lit_cnn(*argv, "--data.test_size", 0, "--test_after_fit", "false").code == 0


def test_debug_shows_the_traceback(lit_cnn, monkeypatch):
    monkeypatch.setenv("LIT_CNN_DEBUG", "1")
    outcome = lit_cnn("fit", "--config", "quickstart", "--model.lr=-1")
    assert outcome.code == 2
    assert "Traceback" in outcome.err


def test_code_in_a_checkpoint_is_not_run(lit_cnn, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    torch.save({"state_dict": {}, "class_path": "x", "evil": Evil()}, tmp_path / "evil.ckpt")
    outcome = lit_cnn("test", "--config", "quickstart", "--ckpt_path", tmp_path / "evil.ckpt")
    assert outcome.code == 4
    assert not (tmp_path / "touched").exists()


def test_folder_that_cannot_be_written_is_named(lit_cnn):
    Path("taken").write_text("a file where the folder should be")
    refused = lit_cnn("fit", "--config", "quickstart", "--trainer.default_root_dir", "taken")
    assert refused.code == 6
    reason = os.strerror(errno.ENOTDIR)
    assert f"taken/quickstart: {reason}. --trainer.default_root_dir sets the folder for runs." in refused.err


def test_full_disk_ends_with_its_code(lit_cnn, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "it is full", "logs/x.ckpt")

    monkeypatch.setattr("lit_cnn.cli.main._dispatch", full)
    outcome = lit_cnn("fit")
    assert outcome.code == 6
    assert outcome.err == "error: logs/x.ckpt: it is full. Free some space, or choose another folder.\n"


def test_refused_run_leaves_the_earlier_ones_alone(lit_cnn, trained):
    for more in ([], ["--trainer.fast_dev_run", "true"]):
        refused = lit_cnn("fit", "--model", "LitLeNet", *SMALL, "--data.batch_size", "271", *more)
        assert refused.code == 2
        assert [p.name for p in Path("logs/LitLeNet").iterdir()] == ["version_0"]
        assert (trained / "checkpoints" / "best.ckpt").is_file()


def test_training_resumes_from_the_last_checkpoint_of_a_run(lit_cnn, trained):
    outcome = lit_cnn("fit", "--config", trained / "config.yaml", "--trainer.max_epochs", 3, "--ckpt_path", trained)
    assert outcome.code == 0, outcome.err
    assert "epoch 3/3" in outcome.out
    assert "epoch 2/3" not in outcome.out
    whole = lit_cnn("fit", "--config", trained / "config.yaml", "--trainer.max_epochs", 3)
    first, second = (json.loads((run_folder(o.out) / "results.json").read_text()) for o in (outcome, whole))
    assert first["steps"] == second["steps"] == 27
    weights = [torch.load(run_folder(o.out) / "checkpoints/last.ckpt", weights_only=True) for o in (outcome, whole)]
    assert all(torch.equal(v, weights[1]["state_dict"][k]) for k, v in weights[0]["state_dict"].items())


@pytest.mark.parametrize(
    ("flags", "steps"),
    [
        (["--trainer.check_val_every_n_epoch", "2"], 18),
        (["--trainer.val_check_interval", "0.5"], 18),
        (["--trainer.accumulate_grad_batches", "2"], 10),
        (["--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"], 6),
        (["--checkpoint.monitor", "val/nll", "--checkpoint.mode", "min"], 18),
        (["--trainer.logger", "false"], 18),
        (["--trainer.enable_checkpointing", "false"], 18),
    ],
)
def test_flags_of_the_trainer_do_what_they_do(lit_cnn, flags, steps):
    outcome = lit_cnn("fit", "--model", "LitLeNet", *SMALL, *flags)
    assert outcome.code == 0, outcome.err
    results = json.loads((run_folder(outcome.out) / "results.json").read_text())
    assert results["steps"] == steps
    assert {"val/acc", "test/acc"} <= set(results)


def test_overfit_batches_sees_the_same_batch_again(lit_cnn):
    outcome = lit_cnn(
        "fit", "--model", "LitMLP", *SMALL, "--trainer.overfit_batches", 1, "--trainer.max_epochs", 40,
        "--model.hidden", "[64]", "--model.lr", 0.01, "--data.noise", 3, "--pictures.enabled", "false",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "epoch 40/40   train acc 100.00%" in outcome.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--trainer.limit_train_batches", "0"], "No step was taken"),
        (["--checkpoint.save_top_k", "3"], "Set --checkpoint.filename"),
        (
            ["--data.augment+=RandomCrop", "--data.augment.padding", "16"],
            "could move the whole image of 16 x 16 pixels",
        ),
        (["--model.scheduler", "OneCycleLR", "--model.scheduler_interval", "step"], None),
        (["--model.scheduler", "CosineAnnealingLR", "--trainer.max_epochs=-1"], "needs the length of the run"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(lit_cnn, flags, message):
    outcome = lit_cnn("fit", "--model", "LitLeNet", *SMALL, *flags)
    assert outcome.code == (2 if message else 0), outcome.err
    assert message is None or message in outcome.err
    assert "Traceback" not in outcome.err


def test_finished_training_cannot_be_resumed(lit_cnn, trained):
    outcome = lit_cnn("fit", "--config", trained / "config.yaml", "--ckpt_path", trained)
    assert outcome.code == 2
    assert "No step was taken beyond step 18" in outcome.err
    assert [p.name for p in Path("logs/LitLeNet").iterdir()] == ["version_0"]


def test_validate_needs_images_to_validate_on(lit_cnn, trained):
    config = ("--config", trained / "config.yaml", "--ckpt_path", trained)
    outcome = lit_cnn("validate", *config, "--data.val_size", 0)
    assert outcome.code == 2
    assert "no validation images" in outcome.err


def test_checkpoint_of_another_task_is_refused(lit_cnn, trained):
    outcome = lit_cnn("test", "--config", trained / "config.yaml", "--ckpt_path", trained, "--data.permute", "true")
    assert outcome.code == 4
    assert "trained with another permutation: none, but the config has permute_seed 0, permute_kind" in outcome.err


def test_interrupted_run_ends_with_130(lit_cnn, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LitClassifier, "training_step", interrupted)
    assert lit_cnn("fit", "--model", "LitLeNet", *SMALL).code == 130


@pytest.mark.parametrize("argv", [("models",), ("fit", "--help")])
def test_a_closed_pipe_is_not_an_error(argv):
    command = f"{sys.executable} -m lit_cnn {' '.join(argv)} 2> err.txt | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in Path("err.txt").read_text()
    assert ended.stdout.strip() in ("0", "141")


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "9"}], ids=str)
def test_waiting_threads_do_not_spin_unless_asked_to(given):
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    code = (
        "import atexit, os, sys; from lit_cnn.cli.main import run; sys.argv[1:] = ['--version'];"
        f"atexit.register(lambda: print([os.environ.get(name) for name in {names}])); run()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in names} | given
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = given or {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
    assert done.stdout.splitlines()[-1] == str([expected.get(name) for name in names])
