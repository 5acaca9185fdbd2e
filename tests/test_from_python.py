"""The package as a newcomer uses it from Python: a loop or a network of their own, other libraries' habits."""

import math
import re

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import lit_cnn
from lit_cnn import LitClassifier, LitLeNet, RandomCrop, SampleDataModule, SyntheticDataModule
from lit_cnn.errors import ConfigError

SMALL = {"num_classes": 3, "image_size": 8, "train_images": 60, "test_images": 20, "batch_size": 16}


class ByView(nn.Module):
    """A student's network, which takes images apart by `view`."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 8 * 8, 3)

    def forward(self, images):
        return self.layer(images.view(len(images), -1))


class OfOthers(L.LightningModule):
    """A LightningModule that knows nothing of ours."""

    def __init__(self):
        super().__init__()
        self.net = ByView()

    def training_step(self, batch, _):
        return cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.training_step(batch, _)

    test_step = validation_step

    def predict_step(self, batch, _):
        return self.net(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(**settings):
    return L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("split", ["train", "val", "test", "predict"])
def test_batches_come_without_setup(split):
    data = SyntheticDataModule(**SMALL)
    images, labels = next(iter(getattr(data, f"{split}_dataloader")()))
    assert images.shape[1:] == (3, 8, 8)
    assert len(images) == len(labels)
    prepared = SyntheticDataModule(**SMALL)
    prepared.setup("fit" if split in ("train", "val") else "test")
    assert torch.equal(next(iter(getattr(prepared, f"{split}_dataloader")()))[0], images)


def test_data_is_prepared_where_it_is_first_asked_for(monkeypatch):
    calls = []
    monkeypatch.setattr(SampleDataModule, "prepare_data", lambda self: calls.append("prepare"))
    data = SampleDataModule()
    assert len(data.arrays("test")) == 1000
    assert data.val_dataloader() is not None
    data.train_dataloader()
    assert calls == ["prepare", "prepare"]  # for the test images, and for the others


@pytest.mark.parametrize("augment", [None, [RandomCrop(1)]])
@pytest.mark.parametrize("permute", [False, True])
def test_a_plain_loop_may_take_colour_images_apart(augment, permute):
    data = SyntheticDataModule(**SMALL, augment=augment, permute=permute)
    for split in ("train", "val", "test"):
        for images, _ in getattr(data, f"{split}_dataloader")():
            assert ByView()(images).shape == (len(images), 3)


def test_a_module_of_others_may_take_colour_images_apart():
    data, module, runs = SyntheticDataModule(**SMALL), OfOthers(), trainer()
    runs.fit(module, datamodule=data)
    runs.validate(module, datamodule=data, verbose=False)
    runs.test(module, datamodule=data, verbose=False)
    runs.predict(module, datamodule=data)


def test_a_network_of_others_in_our_classifier_may_take_colour_images_apart():
    data, module, runs = SyntheticDataModule(**SMALL), LitClassifier(ByView(), num_classes=3), trainer()
    assert not module.channels_last
    runs.fit(module, datamodule=data)
    runs.test(module, datamodule=data, verbose=False)
    module.preprocess = data.preprocess
    assert module.predict(data.arrays("test").images).shape == (20, 3)


class Viewing(LitLeNet):
    """A subclass of one of our networks, which takes images apart as a student's own does."""

    def forward(self, images):
        return super().forward(images.view(len(images), -1).view(images.shape))


def test_our_own_loop_keeps_channels_last_and_a_plain_loop_after_it_does_not():
    data, orders = SyntheticDataModule(**{**SMALL, "image_size": 28}), set()
    module = LitLeNet(num_classes=3, in_channels=3, image_size=28)
    module.net.register_forward_pre_hook(lambda net, inputs: orders.add(inputs[0].is_contiguous()))
    trainer().fit(module, datamodule=data)
    assert module.channels_last
    assert orders == {False}
    assert next(iter(data.train_dataloader()))[0].is_contiguous()
    assert LitClassifier(lit_cnn.models.create("lenet", num_classes=3), num_classes=3).channels_last
    viewing = Viewing(num_classes=3, in_channels=3, image_size=28)
    trainer().fit(viewing, datamodule=data)
    assert not viewing.channels_last


@pytest.mark.parametrize(
    ("name", "remedy"),
    {
        "num_workers": "in memory, and a batch is made at once. Remove it",
        "pin_memory": "to the GPU. Remove it",
        "transform": r"for random changes, such as \[lit_cnn.RandomCrop\(4\)\], and `views`",
        "shuffle": "`seed` decides the order of training images",
        "drop_last": "Every image is used once",
        "persistent_workers": "No workers are needed",
        "download": "`prepare_data` downloads",
        "root": "`data_dir`",
        "val_split": "`val_size`",
        "batch_sizes": "Did you mean 'batch_size'",
        "something": "Its arguments are augment, batch_size, ",
    }.items(),
)
def test_arguments_of_other_libraries_are_refused_with_what_to_use(name, remedy):
    for cls in (SampleDataModule, lit_cnn.MNISTDataModule, SyntheticDataModule):
        with pytest.raises(TypeError, match=rf"^{cls.__name__} has no argument `{name}`\. .*{remedy}") as caught:
            cls(**{name: 2})
        assert isinstance(caught.value, ConfigError)
        assert len(str(caught.value).splitlines()) == 1


def test_the_command_line_refuses_unknown_settings_of_data_as_before(lit_cnn):
    outcome = lit_cnn("fit", "--config", "quickstart", "--data.num_workers", "2", "--print_config")
    assert outcome.code == 2
    assert "num_workers" in outcome.err


def test_the_package_lists_its_names():
    assert set(lit_cnn.__all__) <= set(dir(lit_cnn))
    assert "__version__" in dir(lit_cnn)


def test_a_data_module_can_be_printed():
    assert "SampleDataModule" in str(SampleDataModule())


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (
            lit_cnn.CIFAR10DataModule,
            {"augment": "RandomCrop"},
            "Use a list of objects, such as augment=[RandomCrop()].",
        ),
        (lit_cnn.CIFAR10DataModule, {"permute": "no"}, "`permute` has to be True or False, but got 'no', a str."),
        (lit_cnn.CIFAR10DataModule, {"batch_size": "32"}, "Remove the quotes: batch_size=32."),
        (
            lit_cnn.MNISTDataModule,
            {"data_dir": 3},
            "`data_dir` has to be a text, but got 3, an int. The default is data_dir='data'",
        ),
        (lit_cnn.ImageFolderDataModule, {"image_size": "32"}, "Remove the quotes: image_size=32."),
        (SampleDataModule, {"views": "LowPass"}, "Use a list of objects, such as views=[LowPass()]."),
        (SyntheticDataModule, {"permute_kind": "block"}, "Did you mean 'blocks'?"),
        (SyntheticDataModule, {"augment": [RandomCrop]}, "such as augment=[RandomCrop()]."),
        (
            SyntheticDataModule,
            {"train_images": True},
            "`train_images` has to be a whole number from 1 up, but got True, a bool.",
        ),
        (
            lit_cnn.LitMLP,
            {"hidden": 8},
            "`hidden` has to be a list (each a whole number from 1 up), but got 8, an int.",
        ),
        (lit_cnn.LitMLP, {"lr": "0.1"}, "Remove the quotes: lr=0.1."),
        (
            lit_cnn.LitVGG,
            {"widths": "64"},
            "`widths` has to be a list (each a whole number from 1 up or 'M') or None, but got '64', a str.",
        ),
        (LitLeNet, {"optimizer": torch.optim.SGD}, "Use its name: optimizer='SGD'."),
        (LitLeNet, {"test_time_flip": "no"}, "`test_time_flip` has to be True or False, but got 'no', a str."),
        (LitLeNet, {"scheduler_interval": "steps"}, "Did you mean 'step'?"),
        (RandomCrop, {"padding": "4"}, "Remove the quotes: padding=4."),
        (lit_cnn.PixelPermutation, {"image_size": "28"}, "Remove the quotes: image_size=28."),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_at_once(make, arguments, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        make(**arguments)
    assert str(refused.value).startswith(f"{make.__name__}'s `")


def test_arguments_that_work_are_taken_whatever_their_exact_type():
    data = SyntheticDataModule(np.int64(3), 3, [8, 8], batch_size=8, augment=(RandomCrop(1),), train_images=60)
    module = lit_cnn.LitMLP(
        3, 3, torch.Size([8, 8]), range(3, 5), lr=np.float32(0.5), optimizer_args={"eps": np.float32(1)}
    )
    given = trainer()
    given.fit(module, data)
    given.save_checkpoint("own.ckpt")
    assert lit_cnn.load("own.ckpt").hparams == module.hparams
    assert module.hparams["hidden"] == [3, 4]


@pytest.mark.parametrize("scheduler", ["LambdaLR", "MultiplicativeLR"])
@pytest.mark.parametrize("function", [lambda epoch: 0.9**epoch, math.exp, [math.exp]])
def test_a_function_that_no_checkpoint_holds_is_refused_with_a_way_to_have_it(scheduler, function):
    with pytest.raises(
        ConfigError, match="(?s)`scheduler_args` has lr_lambda: .*override `configure_optimizers`"
    ) as refused:
        LitLeNet(scheduler=scheduler, scheduler_args={"lr_lambda": function})
    assert len(str(refused.value).splitlines()) <= 3


def test_the_way_to_have_a_schedule_by_a_function_works():
    class Decayed(LitLeNet):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), self.hparams["lr"])
            return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)]

    given = trainer()
    given.fit(Decayed(num_classes=3, image_size=8, widths=[2], kernel_size=3, lr=0.1), SyntheticDataModule(**SMALL))
    assert given.optimizers[0].param_groups[0]["lr"] == 0.05


def test_a_class_of_ones_own_takes_what_its_author_wants():
    class Named(SyntheticDataModule):
        def __init__(self, augment: str = "crop", **kwargs):
            super().__init__(augment=[RandomCrop(1)] if augment == "crop" else None, **kwargs)

    assert Named(augment="crop").augment
    with pytest.raises(ConfigError, match="`batch_size` has to be a whole number"):
        type("Plain", (SyntheticDataModule,), {})(batch_size="3")


def test_runs_from_a_checkout_that_is_not_installed(tmp_path, monkeypatch):
    import importlib.metadata

    from lit_cnn.callbacks import results

    def only_others(package):
        if package == "lit-cnn":
            raise importlib.metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(results, "version", only_others)
    assert results.Results(tmp_path, {}, seed=0).values["versions/lit-cnn"] == lit_cnn.__version__
