"""One process against two and three on the CPU: the same figures, the same weights, the same files."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from devices import GLOBAL_BATCH, ROOT, STEPS, TRAIN_IMAGES, free_port, run_on
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from lit_cnn.errors import ConfigError
from lit_cnn.runs import folder as runs
from lit_cnn.training.data_parallel import OneNetwork

pytestmark = pytest.mark.slow

# In float64; a half of the float32 loss is exact.
EXACT = ["plain", "augmented", "accumulated", "clipped", "synced", "summed"]
JOBS = ["evaluated", "drawn", *EXACT, "normed", "sharded", "saved"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


@pytest.fixture(scope="module")
def one(folder):
    return run_on(1, folder, *JOBS)[0]


@pytest.fixture(scope="module")
def two(folder, one):
    return run_on(2, folder, *JOBS, "resumed")


@pytest.fixture(scope="module")
def three(folder):
    return run_on(3, folder, "evaluated", "drawn", "augmented")


@pytest.fixture(params=["two", "three"])
def several(request):
    return request.getfixturevalue(request.param)


def apart(one, other):
    """The largest difference of two networks' weights."""
    return max(float((value - other["weights"][name]).abs().max()) for name, value in one["weights"].items())


@pytest.mark.parametrize("job", ["test 2003", "validate 2003", "test 2"])
def test_every_image_is_evaluated_once_and_the_figures_are_those_of_one_process(one, several, job):
    expected, found = one["evaluated"][job], [process["evaluated"][job] for process in several]
    seen = [image for process in found for image in process["seen"]]
    assert len(seen) == len(set(seen)) == int(job.split()[1])
    assert set(seen) == set(expected["seen"])
    for process in found:
        assert process["metrics"].keys() == expected["metrics"].keys()
        for name, value in process["metrics"].items():  # counts are equal; sums of logarithms may round otherwise
            assert value == (
                pytest.approx(expected["metrics"][name], rel=1e-6) if "nll" in name else expected["metrics"][name]
            )


@pytest.mark.parametrize("images", ["1003", "2"])
def test_figures_are_of_the_images_of_all_devices(one, several, images):
    expected = one["drawn"][images]
    assert expected["indices"].tolist() == list(range(int(images)))
    for process in several:
        found = process["drawn"][images]
        for name in ("preds", "labels", "indices"):
            assert torch.equal(found[name], expected[name]), name
        assert torch.allclose(found["confidences"], expected["confidences"], atol=1e-6)  # of batches of another size
        assert found["ece"] == pytest.approx(float(expected["ece"]), abs=1e-6)
    assert "test/confusion" in expected["figures"]
    assert [process["drawn"][images]["figures"] for process in several] == [
        expected["figures"],
        *[[]] * (len(several) - 1),
    ]


def test_devices_train_on_the_images_of_one_changed_alike(one, several):
    seen = [process["augmented"]["seen"] for process in several]
    assert sorted(sum(seen, [])) == sorted(one["augmented"]["seen"])
    sizes = [sum(parts) for parts in zip(*(process["augmented"]["sizes"] for process in several), strict=True)]
    assert sizes == one["augmented"]["sizes"]
    assert sizes.count(GLOBAL_BATCH) == STEPS - 3
    assert sizes.count(TRAIN_IMAGES % GLOBAL_BATCH) == 3
    last = [process["augmented"]["sizes"][-1] for process in several]
    assert max(last) - min(last) == 1  # so weights are equal only if the images of the last batch weigh the same


@pytest.mark.parametrize("job", EXACT)
def test_two_processes_end_in_the_weights_of_one(one, two, job):
    assert one[job]["steps"] == (STEPS // 2 if job == "accumulated" else STEPS)
    for process in two:
        assert apart(one[job], process[job]) < 1e-13
    assert two[0][job]["metrics"]["train/acc"] == one[job]["metrics"]["train/acc"]
    assert all(torch.equal(value, two[1][job]["weights"][name]) for name, value in two[0][job]["weights"].items())


def test_three_processes_end_in_the_weights_of_one(one, three):
    assert apart(one["augmented"], three[0]["augmented"]) < 1e-6  # the loss is in float32, and a third rounds


def test_batch_norm_over_a_part_of_the_batch_ends_in_other_weights(one, two):
    assert apart(one["normed"], two[0]["normed"]) > 1e-2


def test_weights_that_are_split_over_processes_become_those_of_one(one, two):
    assert apart(one["sharded"], two[0]["sharded"]) < 1e-6  # in float32


def test_a_training_goes_on_with_another_number_of_devices(folder, one, two):
    back = run_on(1, folder, "resumed")[0]["resumed"]
    assert len(back) == 7
    for process in (two[0]["resumed"], back):
        assert process.keys() == back.keys()
        for checkpoint, resumed in process.items():
            assert resumed["steps"] == STEPS
            assert apart(one["saved"], resumed) < 1e-6, checkpoint  # in float32
            if checkpoint != "endepoch=2.ckpt":
                assert resumed["metrics"]["train/acc"] == one["saved"]["metrics"]["train/acc"], checkpoint
                assert set(resumed["seen"]) <= set(one["saved"]["seen"])


def run_together(folder, *commands):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    together = [
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    try:
        outputs = [process.communicate(timeout=200)[0] for process in together]
    finally:
        for process in together:
            process.kill()
    assert [process.returncode for process in together] == [0] * len(together), "\n".join(outputs)
    return outputs


def torchrun(folder, *argv):
    """Two nodes of one process each, both of them here."""
    start = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
    start += ["--master_addr", "127.0.0.1", "--master_port", str(free_port()), "--node_rank"]
    return run_together(folder, *([*start, rank, "-m", "lit_cnn", *argv] for rank in "01"))


FIT = [
    "fit", "--config", "quickstart", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
    "--pictures.enabled", "false", "--name", "run",
]  # fmt: skip
FILES = ["checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml", "hparams.yaml", "metrics.csv", "results.json"]


def files(run):
    found = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return [name for name in found if not name.startswith("events.out")]


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """The results of one process."""
    folder = tmp_path_factory.mktemp("one")
    run_together(folder, [sys.executable, "-m", "lit_cnn", *FIT])
    return json.loads((folder / "logs/run/version_0/results.json").read_text())


@pytest.mark.parametrize("start", ["ddp", "torchrun"])
def test_the_command_line_on_two_processes_leaves_one_run_with_the_figures_of_one(tmp_path, lit_cnn, figures, start):
    share = ["--data.batch_size", "32"]
    if start == "ddp":
        overlay = ["--config", str(ROOT / "configs/overlays/ddp_cpu.yaml")]
        (out,) = run_together(tmp_path, [sys.executable, "-m", "lit_cnn", *FIT, *overlay, *share])
    else:
        out, other = torchrun(tmp_path, *FIT, "--trainer.num_nodes", "2", "--trainer.strategy", "ddp", *share)
        assert "acc" not in other
    assert [line.split()[0] for line in out.splitlines() if " acc " in line] == ["epoch", "train", "val", "test"]
    (run,) = (tmp_path / "logs/run").iterdir()
    assert files(run) == FILES
    found = json.loads((run / "results.json").read_text())
    assert found["devices"] == 2
    for name, value in figures.items():
        if name.startswith(("train/", "val/", "test/")):
            # Weights that differ by rounding may tell an image apart: one of 100 of a class.
            assert found[name] == pytest.approx(value, abs=1e-4 if "nll" in name else 0.0101), name
    predicted = lit_cnn(
        "predict", "--config", run / "config.yaml", "--ckpt_path", run, "--trainer.devices", 3,
        "--trainer.num_nodes", 1, "--trainer.strategy", "ddp",
    )  # fmt: skip
    assert predicted.code == 0, predicted.err
    rows = (tmp_path / "logs/run/predict_0/predictions.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == list(range(1000))
    assert sum(row.endswith(",1") for row in rows) / 1000 == pytest.approx(found["test/acc"])


def test_one_of_several_processes_predicts(monkeypatch):
    assert runs.alone()["devices"] == 1
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    with pytest.raises(SystemExit, match="0"):
        runs.alone()


def test_synchronised_batch_norm_between_cpus_is_refused():
    strategy = SimpleNamespace(_layer_sync=object(), root_device=torch.device("cpu"))
    with pytest.raises(ConfigError, match="works only between GPUs.*\n.*Remove it"):
        OneNetwork(nn.BatchNorm2d(3), SimpleNamespace(strategy=strategy, world_size=2))


def test_fsdp_without_gpu_names_what_works(lit_cnn):
    outcome = lit_cnn(*FIT, "--trainer.strategy", "fsdp", "--trainer.devices", 2)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "Use --trainer.strategy ddp" in outcome.err
