import gzip
import pickle
import struct
from dataclasses import replace
from hashlib import md5, sha256

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10

from lit_cnn import (
    CIFAR10DataModule,
    ImageFolderDataModule,
    MNISTDataModule,
    RandomCrop,
    SampleDataModule,
    SyntheticDataModule,
)
from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.contract import refuse_incomplete
from lit_cnn.data.module import ImageDataModule
from lit_cnn.data.sources import cifar, mnist
from lit_cnn.errors import ConfigError, DataError
from lit_cnn.transforms import AlternatingFlip, Cutout, Mixup, RandomFlip


def ready(data, *stages):
    data.prepare_data()
    for stage in stages:
        data.setup(stage)
    return data


def test_sample_holds_500_digits_of_each_class():
    data = ready(SampleDataModule(val_size=0), "fit", "test")
    assert torch.bincount(data.arrays("train").labels).tolist() == [400] * 10
    assert torch.bincount(data.arrays("test").labels).tolist() == [100] * 10
    assert data.arrays("train").images.shape == (4000, 1, 28, 28)
    everything = torch.cat([data.arrays("train").images, data.arrays("test").images]).flatten(1)
    assert len(everything.unique(dim=0)) == 5000


def test_data_modules_know_what_the_model_needs():
    data = SampleDataModule()
    assert (data.num_classes, data.in_channels, data.image_size) == (10, 1, (28, 28))
    assert data.class_names == list("0123456789")


def test_validation_images_come_from_the_training_images_alone():
    data = ready(SampleDataModule(val_size=0.1), "fit", "test")
    assert [len(data.arrays(s)) for s in ("train", "val", "test")] == [3600, 400, 1000]
    assert torch.bincount(data.arrays("val").labels).tolist() == [40] * 10
    assert len(ready(SampleDataModule(val_size=123), "fit").arrays("val")) == 123
    assert ready(SampleDataModule(val_size=0), "fit").val_dataloader() == []


def test_fit_does_not_touch_the_test_images(monkeypatch):
    read = []
    original = SampleDataModule.read
    monkeypatch.setattr(SampleDataModule, "read", lambda self, split: read.append(split) or original(self, split))
    ready(SampleDataModule(), "fit", "validate")
    assert read == ["train"]


def test_permutation_is_the_last_thing_and_the_same_for_every_seed():
    plain = ready(SampleDataModule(augment=[RandomCrop(2)]), "fit")
    permuted = ready(SampleDataModule(augment=[RandomCrop(2)], permute=True), "fit")
    indices = torch.arange(64)
    make, make_permuted = plain.batch_maker("train"), permuted.batch_maker("train")
    seen, labels = make(indices, epoch=3)
    assert torch.equal(make_permuted(indices, epoch=3)[0], permuted.preprocess.permute(seen))
    images, expected = plain.arrays("train").gather(indices)
    assert torch.equal(labels, expected)
    assert not torch.equal(seen, make(indices, epoch=4)[0])
    assert torch.equal(make(indices)[0], plain.preprocess(images))  # evaluation: no augmentation


def test_order_follows_the_seed_of_the_run(monkeypatch):
    def first(**kwargs):
        return next(iter(ready(SampleDataModule(**kwargs), "fit").train_dataloader()))[1].tolist()

    assert first() == first(seed=0)
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert first() == first(seed=7) != first(seed=0)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"batch_size": 0}, "`batch_size` has to be a whole number from 1 up, but got 0"),
        ({"batch_size": 4000}, "`batch_size` is 4000, but there are only 3600 training images"),
        ({"val_size": -1}, "but got -1"),
        ({"val_size": 1.5}, "but got 1.5"),
        ({"fold": "6 of 5"}, "`fold` has to be like '1 of 5', but got '6 of 5'"),
        ({"fold": "1/5"}, "but got '1/5'"),
        ({"val_size": 4000}, "`val_size` is 4000, but there are only 4000 training images"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, match):
    with pytest.raises(ConfigError, match=match):
        ready(SampleDataModule(**settings), "fit")


def test_augmentation_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="padding` of 28 could move the whole image"):
        ready(SampleDataModule(augment=[RandomCrop(28)]), "fit")


def test_labels_outside_the_classes_are_refused(monkeypatch):
    wrong = Arrays(torch.zeros(4, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 1, 10, 2]))
    monkeypatch.setattr(SampleDataModule, "read", lambda self, split: wrong)
    with pytest.raises(DataError, match="label 10 .* labels of 10 classes are 0 to 9"):
        ready(SampleDataModule(), "fit")


def test_synthetic_images_are_deterministic_normalised_and_of_any_shape():
    data = ready(
        SyntheticDataModule(num_classes=4, in_channels=2, image_size=(24, 40), train_images=600),
        "fit",
        "test",
    )
    again = ready(SyntheticDataModule(num_classes=4, in_channels=2, image_size=(24, 40), train_images=600), "fit")
    assert torch.equal(data.arrays("train").images, again.arrays("train").images)
    assert data.arrays("train").images.shape == (540, 2, 24, 40)
    assert not torch.equal(data.arrays("train").images[:60], data.arrays("test").images[:60])
    inputs = data.preprocess(data.arrays("train").images)
    assert float(inputs.mean()) == pytest.approx(0, abs=0.1)
    assert float(inputs.std()) == pytest.approx(1, abs=0.1)


def test_image_folder_is_read_as_it_lies(image_folder):
    (image_folder / "train" / ".ipynb_checkpoints").mkdir()
    (image_folder / "train" / "red" / "._00.png").write_bytes(b"not an image")
    (image_folder / "train" / "red" / "notes.txt").write_text("not an image")
    data = ready(ImageFolderDataModule(data_dir=str(image_folder), val_size=0, batch_size=4), "fit", "test")
    assert data.class_names == ["blue", "green", "red"]
    assert (data.num_classes, data.in_channels, data.image_size) == (3, 3, (8, 6))
    assert torch.bincount(data.arrays("train").labels).tolist() == [12, 12, 12]
    assert len(data.arrays("test")) == 12
    first = np.asarray(Image.open(image_folder / "train" / "blue" / "00.png")).transpose(2, 0, 1)
    assert np.array_equal(data.arrays("train").images[0].numpy(), first)
    mean, std = channel_statistics(data.arrays("train").images)
    assert (data.preprocess.settings["mean"], data.preprocess.settings["std"]) == (mean, std)


def test_image_folder_resizes_and_greys_where_asked(image_folder):
    data = ready(
        ImageFolderDataModule(data_dir=str(image_folder), image_size=(4, 5), in_channels=1, batch_size=2),
        "fit",
    )
    assert data.arrays("train").images.shape[1:] == (1, 4, 5)


def save(path, array):
    Image.fromarray(np.asarray(array)).save(path)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (
            lambda f: (f / "train/red/05.png").write_bytes(b"broken"),
            "red/05.png is not an image that can be read",
        ),
        (
            lambda f: (f / "train/red/05.png").write_bytes((f / "train/red/04.png").read_bytes()[:60]),
            "red/05.png",
        ),
        (
            lambda f: save(f / "train/red/05.png", np.zeros((9, 9, 3), np.uint8)),
            "05.png is 9 x 9 pixels, but the first",
        ),
        (
            lambda f: Image.fromarray(np.full((8, 6), 300, np.float32)).save(f / "train/red/05.tif"),
            "05.tif has floats from 300 to 300, not from 0 to 1",
        ),
        (lambda f: [p.unlink() for p in (f / "train/red").iterdir()], "There are no images of the class red"),
        (lambda f: (f / "test/violet").mkdir(), "has classes that .*train does not have: violet"),
    ],
)
def test_image_folder_names_what_is_wrong(image_folder, spoil, match):
    spoil(image_folder)
    with pytest.raises(DataError, match=match):
        ready(ImageFolderDataModule(data_dir=str(image_folder), batch_size=2), "fit", "test")


def test_image_folder_refuses_colour_among_greyscale(image_folder):
    save(image_folder / "train/blue/00.png", np.zeros((8, 6), np.uint8))
    with pytest.raises(DataError, match="in colour, but the first training image is greyscale"):
        ready(ImageFolderDataModule(data_dir=str(image_folder), batch_size=2), "fit")


def test_image_folder_says_how_many_images_are_empty(tmp_path, capsys):
    for name, inks in {"a": ("white", "white"), "b": ("red", "blue")}.items():
        (tmp_path / name).mkdir()
        for i, ink in enumerate(inks):
            drawing = Image.new("RGBA", (4, 4))  # transparent
            drawing.paste(ink, (i, 0, 3, 3))
            drawing.save(tmp_path / name / f"{i}.png")
    data = ImageFolderDataModule(data_dir=str(tmp_path), val_size=0, test_size=0, batch_size=1)
    data.setup("fit")
    said = "2 of the 4 train images are black or white all over, such as a/0.png. Transparent parts are read as white."
    assert said in capsys.readouterr().out


def test_image_folder_names_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"There is no folder or file .*nowhere"):
        ImageFolderDataModule(data_dir=str(tmp_path / "nowhere"))


def idx_header(shape):
    return struct.pack(f">{len(shape) + 1}I", 0x800 + len(shape), *shape)


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Four files in MNIST's format, with 30 and 20 images, in place of the real ones."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 30), ("t10k", 20)):
        for kind, shape in (("images-idx3", (n, 28, 28)), ("labels-idx1", (n,))):
            content = idx_header(shape) + rng.integers(0, 10, shape, dtype=np.uint8).tobytes()
            name = f"{prefix}-{kind}-ubyte"
            (raw / name).write_bytes(content)
            monkeypatch.setitem(mnist.MNIST.digests, name, sha256(content).hexdigest())
    monkeypatch.setattr(MNISTDataModule, "source", replace(mnist.MNIST, num_images={"train": 30, "test": 20}))
    return tmp_path


def test_mnist_is_read_unpacked_or_compressed(small_mnist):
    data = ready(MNISTDataModule(data_dir=str(small_mnist), batch_size=8), "fit", "test")
    assert len(data.arrays("train")) + len(data.arrays("val")) == 30
    plain = data.arrays("test")
    path = small_mnist / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    expected = np.frombuffer(path.read_bytes(), np.uint8)[16:].reshape(20, 1, 28, 28)
    path.unlink()
    compressed = ready(MNISTDataModule(data_dir=str(small_mnist)), "test").arrays("test")
    assert torch.equal(plain.images, compressed.images)
    assert np.array_equal(plain.images.numpy(), expected)


def test_mnist_names_a_broken_file(small_mnist):
    path = small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        DataError, match="train-images-idx3-ubyte is not the file of MNIST: it should have 23,536 bytes"
    ):
        ready(MNISTDataModule(data_dir=str(small_mnist)), "fit")
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    path.unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is broken"):
        ready(MNISTDataModule(data_dir=str(small_mnist)), "fit")


def test_mnist_names_a_missing_file(small_mnist):
    (small_mnist / "MNIST" / "raw" / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="is incomplete: train-labels-idx1-ubyte is missing"):
        ready(MNISTDataModule(data_dir=str(small_mnist)), "fit")


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """Seven files in CIFAR-10's format, with 10 images each, in place of the real ones."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, md5((folder / name).read_bytes()).hexdigest()]

    def batch(name):
        return write(name, {"data": rng.integers(0, 256, (10, 3072), np.uint8), "labels": list(range(10))})

    monkeypatch.setattr(CIFAR10, "train_list", [batch(f"data_batch_{i}") for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [batch("test_batch")])
    name, digest = write("batches.meta", {"label_names": cifar.CLASS_NAMES})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": digest})
    return tmp_path


def test_cifar_is_read_through_torchvision(small_cifar):
    data = ready(CIFAR10DataModule(data_dir=str(small_cifar), batch_size=8, val_size=0), "fit", "test")
    assert data.arrays("train").images.shape == (50, 3, 32, 32)
    expected = pickle.loads((small_cifar / "cifar-10-batches-py" / "test_batch").read_bytes())["data"]
    assert np.array_equal(data.arrays("test").images.numpy(), expected.reshape(-1, 3, 32, 32))


def test_cifar_names_a_broken_file(small_cifar):
    (small_cifar / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"broken")
    with pytest.raises(DataError, match="data_batch_3 is not the file of CIFAR-10"):
        CIFAR10DataModule(data_dir=str(small_cifar)).prepare_data()
    (small_cifar / "cifar-10-batches-py" / "test_batch").unlink()
    (small_cifar / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(DataError, match="data_batch_3 is missing"):
        CIFAR10DataModule(data_dir=str(small_cifar)).prepare_data()


@pytest.mark.realdata
def test_real_mnist_has_the_stated_statistics(shared_data):
    data = ready(MNISTDataModule(data_dir=str(shared_data), val_size=0), "fit", "test")
    assert (len(data.arrays("train")), len(data.arrays("test"))) == (60_000, 10_000)
    mean, std = channel_statistics(data.arrays("train").images)
    assert (round(mean[0], 4), round(std[0], 4)) == (data.mean[0], data.std[0])


@pytest.mark.parametrize("rest", [[], [AlternatingFlip(), Cutout(2), Mixup()]])
@pytest.mark.parametrize("first", [0, 3])
def test_images_put_in_their_places_in_large_groups_are_those_of_one_batch(monkeypatch, rest, first):
    settings = {"train_images": 100, "batch_size": 8, "augment": [RandomCrop(2), RandomFlip(), *rest], "seed": 1}
    data = SyntheticDataModule(**settings)
    data.setup("fit")
    monkeypatch.setattr("lit_cnn.data.batches.GROUP_BYTES", 1)
    monkeypatch.setattr("lit_cnn.data.batches.PLACED_BYTES", 5 * 8 * 3 * 32 * 32)
    loader = data.train_dataloader()
    loader.sampler.set_epoch(2)
    loader.load_state_dict({"epoch": 2, "batches": first})
    found = list(loader)
    expected = [loader.make(indices, 2) for indices in loader.sampler]
    assert len(found) == len(expected) - first > 5
    for pair, wanted in zip(found, expected[first:], strict=True):
        assert all(torch.equal(*parts) for parts in zip(pair, wanted, strict=True))


def test_permutation_may_follow_the_runs_seed(lit_cnn):
    """So that the spread over seeds contains the draw; a checkpoint holds the number, for images without a run."""

    def order(seed, **settings):
        data = SyntheticDataModule(train_images=20, test_images=5, batch_size=4, permute=True, seed=seed, **settings)
        data.setup("fit")
        return data.preprocess.permute.order.tolist()

    assert order(0) == order(3)
    assert order(3, permute_seed="seed") == order(0, permute_seed=3) != order(4, permute_seed="seed")
    data = ("--data", "SyntheticDataModule", "--data.train_images", 60, "--data.batch_size", 9)
    settings = ("--data.permute", "true", "--data.permute_seed", "seed", "--seed_everything", 7)
    small = ("--trainer.max_epochs", 1, "--trainer.accelerator", "cpu", "--pictures.enabled", "false", "--name", "run")
    assert lit_cnn("fit", "--model", "LitMLP", *data, *settings, *small).code == 0
    checkpoint = torch.load("logs/run/version_0/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["data"]["preprocess"]["permute_seed"] == 7
    again = ("test", "--config", "logs/run/version_0/config.yaml", "--ckpt_path", "logs/run/version_0")
    assert lit_cnn(*again).code == 0
    other = lit_cnn(*again, "--seed_everything", 8)
    assert (other.code, "was trained with another permutation: " in other.err) == (4, True)
    assert "Did you mean 'seed'" in lit_cnn("fit", "--model", "LitMLP", *data, "--data.permute_seed", "sed").err


class Own(ImageDataModule):
    """A data module of a person's own, without mean and standard deviation and without arguments."""

    num_classes, in_channels, image_size, class_names = 2, 1, (4, 4), ["a", "b"]

    def __init__(self, images=None, labels=None):
        super().__init__(batch_size=2)
        self.images = torch.arange(160, dtype=torch.uint8).reshape(10, 1, 4, 4) if images is None else images
        self.labels = torch.arange(10) % 2 if labels is None else labels

    def read(self, split):
        return Arrays(self.images, self.labels)


def test_mean_and_deviation_of_a_data_module_of_ones_own_are_computed():
    data = Own()
    data.setup("fit")
    pixels = data.images.double() / 255
    assert (data.mean, data.std) == ([pytest.approx(pixels.mean())], [pytest.approx(pixels.std(correction=0))])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(10, 4, 4, dtype=torch.uint8)}, r"\[n, c, h, w\] and labels .*got \[10, 4, 4\]"),
        ({"images": torch.rand(10, 1, 4, 4)}, r"uint8 \[n, 1, 4, 4\] .*\n.*images float32 \[10, 1, 4, 4\] and"),
        ({"images": torch.zeros(10, 3, 4, 4, dtype=torch.uint8)}, r"but got images uint8 \[10, 3, 4, 4\]"),
        ({"labels": torch.rand(10)}, "and labels float32"),
        ({"labels": torch.arange(10)}, "has the label 2 in its train images"),
    ],
)
def test_what_a_data_module_of_ones_own_reads_wrongly_is_told(change, message):
    with pytest.raises(DataError, match=message):
        Own(**change).setup("fit")


def test_what_a_data_module_of_ones_own_lacks_is_told(monkeypatch):
    monkeypatch.setattr(Own, "read", lambda self, split: None)
    with pytest.raises(DataError, match=r"Own.read has to return lit_cnn.data.arrays.Arrays, but got a NoneType"):
        Own().setup("fit")
    with pytest.raises(ConfigError, match=r"test_data_modules.py:\d+ \(class NoSuper\) has no super\(\).__init__\(\)"):
        refuse_incomplete(NoSuper())
    monkeypatch.delattr(Own, "in_channels")
    with pytest.raises(ConfigError, match="The data module Own has no in_channels. Set it in the class"):
        Own().setup("fit")


def test_a_data_module_without_arguments_goes_through_fit(lit_cnn):
    data = ("--data", f"{__name__}.NoArguments")
    outcome = lit_cnn("fit", "--model", "LitMLP", *data, "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu")
    assert outcome.code == 0, outcome.err


class NoArguments(Own):
    def __init__(self):
        super().__init__()


class NoSuper(Own):
    def __init__(self):
        pass
