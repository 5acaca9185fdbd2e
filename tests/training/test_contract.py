"""What methods of a user's own class return is checked, with the place in the message."""

import re

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from lit_cnn import LitClassifier, SyntheticDataModule
from lit_cnn.cli.library_errors import fault_in_run
from lit_cnn.cli.misfits import refuse_misfit
from lit_cnn.errors import ConfigError, DivergedError
from lit_cnn.training.contract import losses_of


class Mine(LitClassifier):
    def __init__(self, change, net=None):
        super().__init__(net or nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), num_classes=3)
        self.change = change

    def loss_of(self, images, labels):
        return self.change(super().loss_of(images, labels))


WRONG = {
    "None": lambda pair: None,
    r"a tensor \[\]": lambda pair: pair[1],
    r"\(a tensor \[\], a tensor \[2, 3\]\)": lambda pair: pair[::-1],
    r"\[\] without a gradient": lambda pair: (pair[0], pair[1].detach()),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_loss_is_refused_before_the_run(said):
    data = SyntheticDataModule(in_channels=1, image_size=12, num_classes=3, train_images=60)
    with pytest.raises(ConfigError, match=rf"Mine\.loss_of at .*test_contract\.py:\d+ has returned .*{said}"):
        refuse_misfit(Mine(WRONG[said]), data)
    refuse_misfit(Mine(list), data)


def test_a_loss_of_one_element_is_a_number():
    module, images, labels = Mine(lambda pair: (pair[0], pair[1][None])), torch.zeros(4, 1, 12, 12), torch.arange(4) % 3
    assert losses_of(module, images, labels)[1].shape == ()


def test_wrong_logits_of_some_batch_sizes_are_refused_when_they_come():
    class Some(nn.Linear):
        def forward(self, images):
            return super().forward(images.flatten(1)) if len(images) == 4 else None

    module, images, labels = Mine(tuple, Some(144, 3)), torch.zeros(5, 1, 12, 12), torch.zeros(5, dtype=torch.int64)
    assert losses_of(module, images[:4], labels[:4])[0].shape == (4, 3)
    for use in (module.evaluate, lambda images: losses_of(module, images, labels)):
        with pytest.raises(ConfigError, match=r"Some\.forward at .*test_contract\.py:\d+ has returned None"):
            use(images)


class Configured(LitClassifier):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return self.form(optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1))


def configured(form, kind=Configured):
    module = kind(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), num_classes=3)
    module.form = form
    return module


class Inherited(Configured):
    def configure_optimizers(self):
        given = super().configure_optimizers()
        return {"optimizer": given["optimiser"]} if "optimiser" in given else given


IGNORED = {
    "no optimizer. It has": (
        lambda optimizer, schedule: None,
        lambda optimizer, schedule: [],
        lambda optimizer, schedule: ([], []),
    ),
    "a dict with the key 'optimiser', which has no effect. Did you mean 'optimizer'?": (
        lambda optimizer, schedule: {"optimiser": optimizer},
    ),
    "a dict without the key 'optimizer'.": (lambda optimizer, schedule: {"lr_scheduler": schedule},),
    "a dict with the key 'lr_schedular', which has no effect. Did you mean 'lr_scheduler'?": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_schedular": schedule},
        lambda optimizer, schedule: [{"optimizer": optimizer, "lr_schedular": schedule}],
    ),
    "a dict with the key 'interval', which has no effect. It belongs in the dict of lr_scheduler.": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": schedule, "interval": "step"},
    ),
    "an lr_scheduler with the key 'intervall', which has no effect. Did you mean 'interval'?": (
        lambda optimizer, schedule: {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "intervall": "step"},
        },
        lambda optimizer, schedule: ([optimizer], [{"scheduler": schedule, "intervall": "step"}]),
        lambda optimizer, schedule: ([optimizer], {"scheduler": schedule, "intervall": "step"}),
    ),
    "a dict whose 'lr_scheduler' is None. Give one": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": None},
    ),
    "a dict whose 'optimizer' is None. Give one": (lambda optimizer, schedule: {"optimizer": None},),
    "a dict whose 'optimizer' is [": (lambda optimizer, schedule: {"optimizer": [optimizer]},),
    "a dict whose 'lr_scheduler' is a list. Give one scheduler, or a dict with the key 'scheduler'.": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": [schedule]},
    ),
    "an optimizer of other parameters, so the network would not be trained.": (
        lambda optimizer, schedule: torch.optim.SGD(nn.Linear(2, 2).parameters()),
        lambda optimizer, schedule: ([torch.optim.SGD(nn.Linear(2, 2).parameters())], [schedule]),
        lambda optimizer, schedule: {"optimizer": torch.optim.SGD(nn.Linear(2, 2).parameters())},
    ),
    "an lr_scheduler whose 'frequency' is 0. Give 1 or more.": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "frequency": 0}},
    ),
    "an lr_scheduler whose 'frequency' is '2'. Give 1 or more.": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "frequency": "2"}},
    ),
    "an lr_scheduler without the key 'scheduler'.": (
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": {"interval": "step"}},
    ),
}


@pytest.mark.parametrize(("said", "form"), [(said, form) for said, forms in IGNORED.items() for form in forms])
def test_what_lightning_would_ignore_of_optimizers_is_refused(said, form):
    place = r"Configured\.configure_optimizers at .*test_contract\.py:\d+ has returned "
    with pytest.raises(ConfigError, match=place + re.escape(said)):
        configured(form).configure_optimizers()


@pytest.mark.parametrize(
    "form",
    [
        lambda optimizer, schedule: optimizer,
        lambda optimizer, schedule: [optimizer],
        lambda optimizer, schedule: (optimizer,),
        lambda optimizer, schedule: ([optimizer], [schedule]),
        lambda optimizer, schedule: [[optimizer], schedule],
        lambda optimizer, schedule: {"optimizer": optimizer, "lr_scheduler": schedule},
        lambda optimizer, schedule: {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "frequency": 2, "name": "mine", "strict": True},
            "monitor": "val/nll",
        },
        lambda optimizer, schedule: ({"optimizer": optimizer, "lr_scheduler": schedule},),
    ],
)
def test_what_lightning_takes_of_optimizers_trains(form):
    fitted(configured(form))


def test_manual_optimization_needs_no_optimizer():
    module = configured(lambda optimizer, schedule: None)
    module.automatic_optimization = False
    assert module.configure_optimizers() is None


def test_a_subclass_may_change_what_its_base_returns():
    made = configured(lambda optimizer, schedule: {"optimiser": optimizer}, Inherited).configure_optimizers()
    assert isinstance(made["optimizer"], torch.optim.SGD)
    wrong = configured(lambda optimizer, schedule: {"optimizer": optimizer, "lr_schedular": schedule}, Inherited)
    with pytest.raises(ConfigError, match=r"Inherited\.configure_optimizers at .*'lr_schedular'"):
        wrong.configure_optimizers()


class Nan(nn.Linear):
    """Returns NaN in evaluation."""

    def forward(self, images):
        return super().forward(images.flatten(1)) * (1 if self.training else torch.nan)


def fitted(module):
    data = SyntheticDataModule(in_channels=1, image_size=12, num_classes=3, train_images=60, batch_size=16)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(module, data)


def test_nan_in_validation_ends_a_run():
    with pytest.raises(DivergedError, match=r"val/nll is NaN at epoch 1: .*\n.*look at the val images"):
        fitted(LitClassifier(Nan(144, 3), num_classes=3))


def test_what_lightning_refuses_of_optimizers_is_told_with_its_place():
    class Two(LitClassifier):
        def configure_optimizers(self):
            return [torch.optim.SGD(self.parameters(), lr=rate) for rate in (0.1, 0.2)]

    with pytest.raises(RuntimeError) as refused:
        fitted(Two(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), num_classes=3))
    told = str(fault_in_run(refused.value, [], early=True))
    assert re.search(
        r"refuses what Two\.configure_optimizers at .*test_contract\.py:\d+ returns:\n.*manual optim", told
    )


def test_an_own_schedule_that_is_too_short_is_told_with_its_place():
    class Short(LitClassifier):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    said = r"but the run has 4\.\nGive it total_steps=4 in Short\.configure_optimizers at .*test_contract\.py:\d+\."
    with pytest.raises(ConfigError, match=said):
        fitted(Short(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), num_classes=3))


def test_a_missing_monitor_is_told_without_advice_on_devices():
    class Monitors(LitClassifier):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val_loss"}}

    with pytest.raises(Exception, match="val_loss which is not available") as refused:
        fitted(Monitors(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), num_classes=3))
    told = str(fault_in_run(refused.value, [], early=True))
    assert "val/nll" in told
    assert "GPU" not in told


def test_a_property_in_place_of_the_method_may_be_defined():
    class Owned(LitClassifier):
        @property
        def configure_optimizers(self):
            return lambda: torch.optim.SGD(self.parameters(), lr=0.1)

    fitted(Owned(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), num_classes=3))


def test_nan_in_evaluation_only_is_refused_before_the_run():
    data = SyntheticDataModule(in_channels=1, image_size=12, num_classes=3, train_images=60)
    with pytest.raises(ConfigError, match="into NaN in evaluation"):
        refuse_misfit(LitClassifier(Nan(144, 3), num_classes=3), data)
