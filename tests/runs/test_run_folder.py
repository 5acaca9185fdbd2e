import json
import shutil

import numpy as np
import pytest

from lit_cnn.errors import CheckpointError, ConfigError
from lit_cnn.inference import load as checkpoints
from lit_cnn.runs.folder import find_run, read_results


@pytest.fixture
def logs(tmp_path):
    for run in ("quickstart/version_0", "quickstart/version_1", "lenet/version_0"):
        (tmp_path / "logs" / run / "checkpoints").mkdir(parents=True)
    (tmp_path / "logs" / "quickstart" / "test_0").mkdir()
    return tmp_path / "logs"


def test_run_is_found_by_its_folder_the_one_above_or_a_file(logs):
    run = logs / "lenet" / "version_0"
    (run / "checkpoints" / "last.ckpt").touch()
    for given in (run, logs / "lenet", str(logs / "lenet")):
        assert find_run(given) == run
    assert find_run(run / "checkpoints" / "last.ckpt") == run / "checkpoints" / "last.ckpt"
    assert checkpoints.find(logs / "lenet") == run / "checkpoints" / "last.ckpt"
    shutil.rmtree(logs / "quickstart")
    assert find_run(logs) == run


def test_several_runs_are_named(logs):
    with pytest.raises(ConfigError, match=r"There are 2 runs in .*quickstart: .*version_[01], .*\nGive one of them"):
        find_run(logs / "quickstart")


def test_missing_run_names_the_nearest(logs, tmp_path):
    with pytest.raises(CheckpointError, match=r"run .*/lenett\. Did you mean '.*logs/lenet'\?"):
        find_run(logs / "lenett")
    with pytest.raises(CheckpointError, match=r"Did you mean '.*logs/lenet/version_0'\?"):
        find_run(logs / "lenet" / "version_1")
    with pytest.raises(CheckpointError, match=r"run nowhere\. Give a run's folder"):
        find_run("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="There is no checkpoint in .*empty: no run, and no .*best.ckpt"):
        find_run(tmp_path / "empty")


@pytest.mark.parametrize(("right", "images"), [(949, 1000), (8741, 10_000), (1, 3), (20_000, 60_000)])
def test_results_of_before_counts_were_kept_have_them_all_the_same(tmp_path, right, images):
    old = {"test/acc": float(np.float32(right / images)), "test_images": images, "val/acc": 0.3}
    assert old["test/acc"] != right / images
    (tmp_path / "results.json").write_text(json.dumps(old))
    found = read_results(tmp_path)
    assert found == old | {"test/acc": right / images, "test/correct": right}


def test_a_share_that_matches_no_count_of_images_stays(tmp_path):
    odd = {"test/acc": 0.94951, "test_images": 1000}
    (tmp_path / "results.json").write_text(json.dumps(odd))
    assert read_results(tmp_path) == odd
    (tmp_path / "results.json").write_text("[1]")
    assert read_results(tmp_path) == {}
    assert read_results(tmp_path / "nowhere") == {}
