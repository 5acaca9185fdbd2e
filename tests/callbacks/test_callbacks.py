import io
import json
import time
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, run_folder, run_once
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_cnn.callbacks.results import Results
from lit_cnn.callbacks.tensorboard.graph import Graph
from lit_cnn.callbacks.tensorboard.pictures import Pictures
from lit_cnn.plots import prediction_grid, sample_grid
from lit_cnn.training.classifier import LitClassifier

PERMUTED = ("--model", "LitLeNet", *SMALL, "--data.permute", "true", "--trainer.log_every_n_steps", 5)


def events_of(run):
    return EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0}).Reload()


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    return events_of(run_once(tmp_path_factory.mktemp("events"), *PERMUTED, pictures=True))


def test_tensorboard_holds_scalars_by_their_names(events):
    scalars = events.Tags()["scalars"]
    assert {f"{split}/{m}" for split in ("train", "val", "test") for m in ("acc", "nll")} <= set(scalars)
    assert [e.step for e in events.Scalars("watch/lr")] == [4, 9, 14]
    assert len(events.Scalars("val/acc")) == 2
    assert {f"test/acc_of/pattern {c}" for c in range(3)} <= set(scalars)


def test_cards_of_val_and_test_come_before_rarely_used_ones(events):
    tags = events.Tags()["scalars"] + events.Tags()["images"]
    assert {tag.partition("/")[0] for tag in tags} == {"test", "train", "val", "watch"}


def test_hyperparameters_tab_holds_the_final_metrics(events):
    for split in ("val", "test"):
        for metric in ("acc", "nll"):
            assert f"{split}/{metric}".encode() in events.SummaryMetadata("_hparams_/experiment").plugin_data.content
            assert not any(isnan(e.value) for e in events.Scalars(f"{split}/{metric}"))
    plugin = events.SummaryMetadata("_hparams_/session_start_info").plugin_data
    for setting in (b"model/lr", b"data/permute", b"data/batch_size", b"seed"):
        assert setting in plugin.content


def test_pictures_are_there_and_not_empty(events):
    both = ("predictions", "confusion", "accuracy of classes", "reliability", "worst mistakes")
    expected = {f"{split}/{kind}" for kind in both for split in ("val", "test")}
    expected |= {"train/samples", "watch/first layer", "watch/feature maps of image 0", "watch/feature maps of image 1"}
    assert expected <= set(events.Tags()["images"])
    for tag in events.Tags()["images"]:
        image = Image.open(io.BytesIO(events.Images(tag)[-1].encoded_image_string))
        assert min(image.size) >= 100, tag
        assert np.asarray(image.convert("L")).std() > 10, tag


@pytest.mark.pictures
def test_pictures_can_be_turned_off(lit_cnn):
    outcome = lit_cnn("fit", "--model", "LitLeNet", *SMALL, "--pictures.enabled", "false")
    assert EventAccumulator(str(run_folder(outcome.out))).Reload().Tags()["images"] == []


@pytest.mark.pictures
def test_epochs_can_be_the_x_axis(lit_cnn, events):
    outcome = lit_cnn("fit", *PERMUTED, "--tensorboard_axis", "epoch")
    assert outcome.code == 0, outcome.err
    run = run_folder(outcome.out)
    by_epoch = events_of(run)
    of_steps = {"watch/lr", "train/loss"}
    for name in events.Tags()["scalars"]:
        before, now = events.Scalars(name), by_epoch.Scalars(name)
        if name != "watch/seconds":
            assert [e.value for e in now] == pytest.approx([e.value for e in before], nan_ok=True), name
        assert now[-1].step == (before[-1].step if name in of_steps else 2), name
    for name in ("train/acc", "train/nll", "val/acc", "watch/seconds", "val/ece", "watch/weight norm 01 features.0"):
        assert [e.step for e in by_epoch.Scalars(name)] == [1, 2], name
        assert [e.step for e in events.Scalars(name)] != [1, 2], name
    assert {e.step for name in by_epoch.Tags()["images"] for e in by_epoch.Images(name)} == {0, 2}
    tested = lit_cnn("test", "--config", run / "config.yaml", "--ckpt_path", run)
    assert tested.code == 0, tested.err


def test_time_of_a_run_is_that_of_its_training(lit_cnn, monkeypatch):
    monkeypatch.setattr(Graph, "on_fit_start", lambda *_: time.sleep(0.5))  # before the first step
    monkeypatch.setattr(Pictures, "on_train_end", lambda *_: time.sleep(0.5))  # after the last
    start = time.perf_counter()
    outcome = lit_cnn("fit", "--model", "LitMLP", *SMALL, "--test_after_fit", "false")
    whole = time.perf_counter() - start
    results = json.loads((run_folder(outcome.out) / "results.json").read_text())
    assert 0 < results["fit_seconds"] < whole - 1


def test_a_resumed_epoch_keeps_its_number(lit_cnn, monkeypatch):
    step = LitClassifier.training_step

    def interrupted(module, batch, batch_idx):
        if module.trainer.global_step == 13:  # of 9 an epoch
            raise KeyboardInterrupt
        return step(module, batch, batch_idx)

    settings = [*SMALL, "--tensorboard_axis", "epoch", "--name", "run", "--checkpoint_every", 4]
    with monkeypatch.context() as patch:
        patch.setattr(LitClassifier, "training_step", interrupted)
        assert lit_cnn("fit", "--model", "LitLeNet", *settings).code == 130
    gone_on = lit_cnn("fit", "--resume", "logs/run/version_0")
    assert "step 12" in gone_on.out, gone_on.err
    # Each file by itself: TensorBoard takes a folder's files in the order of their names, "10" before "9".
    files = [EventAccumulator(str(file)).Reload() for file in Path("logs/run/version_0").glob("events.out.*")]
    logged = [file.Scalars("train/acc") for file in files if "train/acc" in file.Tags()["scalars"]]
    assert sorted(event.step for events in logged for event in events) == [1, 2]


def test_each_epoch_prints_a_line(lit_cnn):
    out = lit_cnn("fit", "--model", "LitLeNet", *SMALL).out
    lines = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 2
    assert all("train acc" in line and "val acc" in line for line in lines)
    silent = lit_cnn("fit", "--model", "LitLeNet", *SMALL, "--trainer.enable_progress_bar", "false").out
    assert "epoch 1/2" not in silent


def test_summary_counts_epochs_as_people_do(tmp_path):
    results = Results(tmp_path / "run" / "version_0", {}, seed=0)
    for epochs, text in ((1, "time   2.0 s for 1 epoch"), (2, "time   2.0 s for 2 epochs")):
        results.values |= {"fit_seconds": 2.0, "epochs": epochs}
        assert results.summary().splitlines()[0] == text


def test_sample_grid_shows_both_views():
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    figure = sample_grid(images, images.flip(-1), list("abcde"), "title", "mirrored", columns=3)
    (axis,) = figure.axes
    assert len(axis.images) == 10
    first, below = axis.images[:2]
    assert np.array_equal(first.get_array(), images[0, 0].numpy())
    assert np.array_equal(below.get_array(), images[0, 0].flip(-1).numpy())
    assert first.get_extent()[:2] == below.get_extent()[:2]
    assert first.get_extent()[2] < below.get_extent()[3]
    assert "mirrored" in figure.get_suptitle()


def test_prediction_grid_marks_right_and_wrong():
    images = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    figure = prediction_grid(images, [0, 1, 1], [0, 1, 0], [0.9, 0.8, 0.7], ["cat", "dog"], "title")
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["cat: 90%", "dog: 80%", "cat: 70%\ntrue: dog"]
    colours = [text.get_color() for text in axis.texts]
    assert colours[0] == colours[1] != colours[2]
    assert figure.get_suptitle().startswith("title: 2 of 3 correct\n")
