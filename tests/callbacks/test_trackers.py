"""Trackers: the run's folder is complete with any logger; added loggers get settings, metrics and figures."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from lightning.pytorch.loggers import Logger

from lit_cnn.callbacks.lost_trackers import survive

SMALL = (
    "--model", "LitMLP", "--model.hidden", "[8]", "--data", "SyntheticDataModule", "--data.image_size", "8",
    "--data.train_images", "100", "--data.test_images", "20", "--data.batch_size", "50", "--name", "run",
    "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
RUN = Path("logs/run/version_0")
ALWAYS = {"config.yaml", "checkpoints", "metrics.csv", "results.json"}
ELSEWHERE = "{class_path: CSVLogger, init_args: {save_dir: elsewhere, name: a, version: b}}"
needs = {name: pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is missing") for name in ("wandb", "mlflow")}
OTHERS = "ignore"  # the warnings of other packages


class Notes(Logger):
    """A logger of one's own."""

    all: list["Notes"] = []
    name = version = None

    def __init__(self):
        super().__init__()
        self.params, self.metrics, self.images = {}, {}, []
        Notes.all.append(self)

    def log_hyperparams(self, params, *args, **kwargs):
        self.params |= params

    def log_metrics(self, metrics, step=None):
        self.metrics |= metrics

    def log_image(self, key, images, step=None):
        self.images.append((key, images[0].size))


class Fails(Logger):
    name = version = None

    def __init__(self):
        raise RuntimeError("no network")

    log_hyperparams = log_metrics = None


@pytest.fixture
def own(monkeypatch):
    monkeypatch.setenv("LIT_CNN_ALLOW", __name__)
    Notes.all.clear()
    return f"{__name__}.Notes"


def folder_of(outcome) -> set[str]:
    assert outcome.code == 0, outcome.err
    return {path.name.split(".out.")[0] for path in RUN.iterdir()} - {"hparams.yaml"}


@pytest.mark.parametrize("logger", [None, "true", "false", ELSEWHERE, "[" + ELSEWHERE + ", OWN]"])
def test_a_runs_folder_is_whole_whatever_its_loggers_are(lit_cnn, own, logger):
    flags = () if logger is None else ("--trainer.logger", logger.replace("OWN", own))
    board = set() if logger == "false" else {"events"}
    outcome = lit_cnn("fit", *SMALL, *flags)
    assert folder_of(outcome) == ALWAYS | board
    hint = f"see    {RUN}/metrics.csv" if logger == "false" else "see    tensorboard --logdir logs"
    assert hint in outcome.out
    assert Path("elsewhere/a/b/metrics.csv").is_file() == (ELSEWHERE in str(logger))
    resumed = lit_cnn("fit", "--resume", RUN, "--trainer.max_epochs", 2)
    assert folder_of(resumed) == ALWAYS | board
    assert (RUN / "metrics.csv").read_text().count("\n") > 4
    if logger in (None, "false"):  # with TensorBoard's files, and without
        assert lit_cnn("report", RUN).code == 0


@pytest.mark.pictures
def test_a_users_own_logger_gets_settings_metrics_and_figures(lit_cnn, own):
    outcome = lit_cnn("fit", *SMALL, "--trainer.logger", own)
    results, (notes,) = json.loads((RUN / "results.json").read_text()), Notes.all
    assert outcome.code == 0, outcome.err
    assert notes.params["model"] == "LitMLP"
    assert {"seed", "data/train_images", "model/lr"} <= set(notes.params)
    assert notes.metrics["selected/val_acc"] == results["val/acc"]  # of the tested checkpoint
    assert {"train/acc", "val/nll", "test/nll"} <= set(notes.metrics)
    assert not any(name.startswith("hp") for name in notes.metrics)
    assert "test/confusion" in dict(notes.images)


def test_a_failed_start_leaves_nothing_in_an_added_logger(lit_cnn, own):
    assert lit_cnn("fit", *SMALL, "--trainer.logger", own, "--trainer.limit_train_batches", 0).code == 2
    refused = lit_cnn("fit", *SMALL, "--trainer.logger", f"{__name__}.Fails")
    assert refused.code == 2
    assert refused.err == "error: Fails cannot start: no network\n"
    assert not Notes.all
    assert not Path("logs").exists()


def test_a_lost_tracker_prints_a_sentence(capsys):
    class Lost(Notes):
        def log_metrics(self, metrics, step=None):
            raise ConnectionError("no answer")

    logger = Lost()
    survive(logger)
    for _ in range(2):
        logger.log_metrics({"a": 1})
        logger.log_hyperparams({"b": 2})
    assert capsys.readouterr().out == "Lost is lost; the run continues without it: no answer\n"
    assert logger.params == {}


def test_an_unknown_logger_names_the_nearest(lit_cnn):
    assert "Did you mean 'WandbLogger'?" in lit_cnn("fit", *SMALL, "--trainer.logger", "WandbLoger").err
    assert "trainer.logger.save_dir" in lit_cnn("fit", *SMALL, "--trainer.logger", "CSVLogger").err


@needs["wandb"]
@pytest.mark.pictures
@pytest.mark.filterwarnings(OTHERS)
def test_wandb_keeps_a_run_on_disk(lit_cnn, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    outcome = lit_cnn("fit", *SMALL, "--trainer.logger", "WandbLogger")
    assert folder_of(outcome) == ALWAYS | {"events", "wandb", "trackers.json"}
    (run,) = (RUN / "wandb").glob("offline-run-*")
    assert f"see    wandb sync {run}" in outcome.out
    assert list(run.glob("files/media/images/test/confusion*.png"))


@needs["mlflow"]
@pytest.mark.pictures
@pytest.mark.filterwarnings(OTHERS)
def test_mlflow_keeps_runs_in_a_file_beside_them(lit_cnn):
    from mlflow import MlflowClient

    outcome = lit_cnn("fit", *SMALL, "--trainer.logger", "MLFlowLogger")
    assert folder_of(outcome) == ALWAYS | {"events", "trackers.json"}
    assert "see    mlflow ui --backend-store-uri sqlite:///logs/mlflow.db" in outcome.out
    client = MlflowClient("sqlite:///logs/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("lit_cnn").experiment_id])
    assert run.info.run_name == "run/version_0"
    assert run.data.params["model"] == "LitMLP"
    assert run.data.metrics["selected/val_acc"] == json.loads((RUN / "results.json").read_text())["val/acc"]
    assert client.list_artifacts(run.info.run_id, "images")
