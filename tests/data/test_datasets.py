"""Fashion-MNIST, KMNIST, CIFAR-100 and SVHN, from small files in their formats."""

import gzip
import pickle
import struct
from dataclasses import replace
from hashlib import md5
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

import lit_cnn as package
from lit_cnn import (
    CIFAR10DataModule,
    CIFAR100DataModule,
    FashionMNISTDataModule,
    KMNISTDataModule,
    MNISTDataModule,
    SampleDataModule,
    SVHNDataModule,
)
from lit_cnn.data.datasets import FromFiles
from lit_cnn.data.images import as_batch
from lit_cnn.data.sources.cifar import FINE_CLASS_NAMES
from lit_cnn.data.sources.mnist import FASHION_MNIST, KMNIST, MNIST
from lit_cnn.errors import DataError
from lit_cnn.typed_arguments import subclasses_of

COUNTS = {"train": 30, "test": 20}


def ready(data, *stages):
    data.prepare_data()
    for stage in stages:
        data.setup(stage)
    return data


def checksum(path):
    return md5(path.read_bytes()).hexdigest()


def statistics(images):
    """Mean and standard deviation of `[n, h, w, c]`, from the pixels themselves."""
    pixels = images.astype(np.float64).reshape(-1, images.shape[-1]) / 255
    return pytest.approx(pixels.mean(0).tolist()), pytest.approx(pixels.std(0).tolist())


def holds(arrays, images, labels):
    """Whether these are the images `[n, h, w, c]`, in memory of that order, and their labels."""
    assert np.array_equal(arrays.images.permute(0, 2, 3, 1).numpy(), images)
    assert arrays.labels.tolist() == labels.tolist()
    assert arrays.labels.dtype == torch.int64
    return arrays.images.permute(0, 2, 3, 1).is_contiguous()


@pytest.fixture(params=[FashionMNISTDataModule, KMNISTDataModule])
def idx(request, tmp_path, monkeypatch):
    """The data module, its folder and what the files hold."""
    cls = request.param
    raw = tmp_path / cls.source.name / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    content, archives, digests = {}, [], {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        n = COUNTS[split]
        images, labels = rng.integers(0, 256, (n, 28, 28, 1), np.uint8), np.arange(n, dtype=np.uint8) % 10
        content[split] = images, labels
        for kind, header, array in (
            ("images-idx3", struct.pack(">4I", 0x803, n, 28, 28), images),
            ("labels-idx1", struct.pack(">2I", 0x801, n), labels),
        ):
            path = raw / f"{prefix}-{kind}-ubyte"
            path.write_bytes(header + array.tobytes())
            digests[path.name] = checksum(path)
            archive = raw / f"{path.name}.gz"
            archive.write_bytes(gzip.compress(path.read_bytes()))
            archives.append((archive.name, checksum(archive)))
    monkeypatch.setattr(getattr(datasets, cls.source.name), "resources", archives)
    monkeypatch.setattr(cls, "source", replace(cls.source, num_images=COUNTS, digests=digests))
    return cls, tmp_path, raw, content


def _packed_anew(path):
    """What another packager makes of the same bytes: fast, without the stored name and time."""
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1, mtime=0))


@pytest.mark.parametrize(
    "repack",
    {
        "as downloaded": lambda path: path.unlink(),
        "unpacked": lambda path: path.with_name(f"{path.name}.gz").unlink(),
        "unpacked beside the archive": lambda path: None,
        "packed anew": lambda path: (_packed_anew(path), path.unlink()),
        "unpacked beside an archive that was packed anew": _packed_anew,
        "unpacked beside another archive": lambda path: path.with_name(f"{path.name}.gz").write_bytes(
            b"something else"
        ),
        "in upper case": lambda path: path.rename(path.with_name(path.name.upper())),
        "packed, in upper case": lambda path: (
            path.unlink(),
            path.with_name(f"{path.name}.gz").rename(path.with_name(f"{path.name}.gz".upper())),
        ),
        "with a dot before idx": lambda path: path.rename(path.with_name(path.name.replace("-idx", ".idx"))),
    }.items(),
    ids=lambda item: item[0],
)
def test_idx_files_are_read_however_they_were_packed(idx, repack):
    cls, data_dir, raw, content = idx
    for path in sorted(raw.glob("*-ubyte")):
        repack[1](path)
    data = ready(cls(data_dir=str(data_dir), batch_size=8, val_size=0), "fit", "test")
    for split in ("train", "test"):
        assert holds(data.read(split), *content[split])
    settings = data.preprocess.settings
    assert (settings["mean"], settings["std"]) == statistics(content["train"][0])
    assert settings == ready(cls(data_dir=str(data_dir)), "test").preprocess.settings  # those of the training images


@pytest.mark.parametrize(
    ("name", "spoil", "match"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], r"it should have 23,536 bytes \(23,535 bytes unpacked\)"),
        ("train-images-idx3-ubyte", lambda b: b + b"x", "it should have 23,536 bytes"),
        ("train-labels-idx1-ubyte", lambda b: b"\0\0\0\1" + b[4:], "its checksum differs"),
        ("train-images-idx3-ubyte", lambda b: b[:-1] + bytes([b[-1] ^ 1]), "its checksum differs"),
        ("train-images-idx3-ubyte", lambda b: b[:16] + bytes(len(b) - 16), "its checksum differs"),
    ],
)
def test_idx_files_that_are_broken_are_named(idx, name, spoil, match):
    cls, data_dir, raw, _ = idx
    (raw / name).write_bytes(spoil((raw / name).read_bytes()))
    with pytest.raises(DataError, match=f"is not the file of {cls.source.name}: .*{match}(?s:.)*Replace it, or"):
        ready(cls(data_dir=str(data_dir)), "fit")


def test_idx_files_that_are_missing_are_named(idx):
    cls, data_dir, raw, _ = idx
    for path in raw.glob("train-labels*"):
        path.unlink()
    with pytest.raises(DataError, match=f"{cls.source.name}/raw is incomplete: train-labels-idx1-ubyte is missing"):
        cls(data_dir=str(data_dir)).prepare_data()


def test_the_three_datasets_of_one_format_are_not_mixed_up(idx, monkeypatch):
    cls, data_dir, _, _ = idx
    (data_dir / cls.source.name).rename(data_dir / "MNIST")
    with pytest.raises(DataError, match="is not the file of MNIST: it should have 47,040,016 bytes"):
        ready(MNISTDataModule(data_dir=str(data_dir)), "fit")
    monkeypatch.setattr(MNISTDataModule, "source", replace(MNIST, num_images=COUNTS))  # headers and sizes are right
    with pytest.raises(DataError, match="is not the file of MNIST: its checksum differs"):
        ready(MNISTDataModule(data_dir=str(data_dir)), "fit")


def test_every_idx_file_has_a_digest_of_its_own():
    digests = [digest for dataset in (MNIST, FASHION_MNIST, KMNIST) for digest in dataset.digests.values()]
    assert len(set(digests)) == 12
    for dataset in (MNIST, FASHION_MNIST, KMNIST):
        torchvisions = {name.removesuffix(".gz") for name, _ in getattr(datasets, dataset.name).resources}
        assert torchvisions == set(dataset.digests)


@pytest.fixture
def small_cifar100(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    rng = np.random.default_rng(0)
    content = {}
    for split, n in COUNTS.items():
        data, labels = rng.integers(0, 256, (n, 3072), np.uint8), rng.integers(0, 100, n)
        batch = {"data": data, "fine_labels": labels.tolist(), "coarse_labels": [0] * n}
        (folder / split).write_bytes(pickle.dumps(batch))
        content[split] = data.reshape(n, 3, 32, 32).transpose(0, 2, 3, 1), labels
        monkeypatch.setattr(datasets.CIFAR100, f"{split}_list", [[split, checksum(folder / split)]])
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": FINE_CLASS_NAMES}))
    meta = {"filename": "meta", "key": "fine_label_names", "md5": checksum(folder / "meta")}
    monkeypatch.setattr(datasets.CIFAR100, "meta", meta)
    return tmp_path, content


def test_cifar100_is_read_with_its_fine_classes(small_cifar100):
    data_dir, content = small_cifar100
    data = ready(CIFAR100DataModule(data_dir=str(data_dir), batch_size=8, val_size=0), "fit", "test")
    for split in ("train", "test"):
        assert holds(data.read(split), *content[split])
    torchvisions = datasets.CIFAR100(str(data_dir), train=False)
    assert np.array_equal(torchvisions.data, content["test"][0])
    assert torchvisions.classes == data.class_names
    assert (data.num_classes, data.dataset_name) == (100, "CIFAR100")
    assert (data.preprocess.settings["mean"], data.preprocess.settings["std"]) == statistics(content["train"][0])


@pytest.mark.parametrize(("size", "shape"), [(16, (16, 16)), ([20, 24], (20, 24))])
def test_images_are_resized_as_image_files_are(small_cifar100, tmp_path, size, shape):
    plain = ready(CIFAR100DataModule(data_dir=small_cifar100[0]), "test").arrays("test").images
    data = ready(CIFAR100DataModule(data_dir=small_cifar100[0], image_size=size), "test")
    assert data.image_size == shape
    Image.fromarray(plain[3].permute(1, 2, 0).numpy()).save(tmp_path / "one.png")
    assert torch.equal(data.arrays("test").images[3:4], as_batch(tmp_path / "one.png", 3, shape))


def test_the_sample_can_be_resized():
    data = ready(SampleDataModule(image_size=14), "fit", "test")
    assert next(iter(data.train_dataloader()))[0].shape[1:] == data.arrays("test").images.shape[1:] == (1, 14, 14)


def test_cifar100_names_a_broken_file(small_cifar100):
    (small_cifar100[0] / "cifar-100-python" / "train").write_bytes(b"broken")
    with pytest.raises(DataError, match="train is not the file of CIFAR-100: its checksum differs"):
        CIFAR100DataModule(data_dir=str(small_cifar100[0])).prepare_data()


@pytest.fixture
def small_svhn(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    content, files = {}, {}
    for split, n in COUNTS.items():
        images, labels = rng.integers(0, 256, (n, 32, 32, 3), np.uint8), np.arange(n) % 10
        path = tmp_path / f"{split}_32x32.mat"
        in_file = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        savemat(path, {"X": images.transpose(1, 2, 3, 0), "y": in_file}, do_compression=split == "train")
        content[split] = images, labels
        files[split] = [f"http://nowhere/{path.name}", path.name, checksum(path)]
    monkeypatch.setattr(datasets.SVHN, "split_list", files)
    return tmp_path, content


def test_svhn_is_read_with_the_label_10_as_0(small_svhn):
    data_dir, content = small_svhn
    data = ready(SVHNDataModule(data_dir=str(data_dir), batch_size=8, val_size=0), "fit", "test")
    for split in ("train", "test"):
        assert holds(data.read(split), *content[split])
        torchvisions = datasets.SVHN(str(data_dir), split)
        assert np.array_equal(torchvisions.data, data.arrays(split).images)
        assert np.array_equal(torchvisions.labels, data.arrays(split).labels)
    assert (data.preprocess.settings["mean"], data.preprocess.settings["std"]) == statistics(content["train"][0])


def test_svhn_names_a_broken_and_a_missing_file(small_svhn):
    (small_svhn[0] / "train_32x32.mat").write_bytes(b"broken")
    with pytest.raises(DataError, match="train_32x32.mat is not the file of SVHN: its checksum differs"):
        SVHNDataModule(data_dir=str(small_svhn[0])).prepare_data()
    (small_svhn[0] / "train_32x32.mat").unlink()
    with pytest.raises(DataError, match="train_32x32.mat is missing"):
        SVHNDataModule(data_dir=str(small_svhn[0])).prepare_data()


def no_network(*_, **__):
    raise URLError("no network")


@pytest.mark.parametrize(
    ("module", "files", "offline"),
    [
        (MNISTDataModule, "MNIST/raw/", "--data SampleDataModule"),
        (CIFAR10DataModule, "cifar-10-batches-py", "--data SyntheticDataModule"),
        (FashionMNISTDataModule, "FashionMNIST/raw/", "--data.image_size 28"),
        (KMNISTDataModule, "KMNIST/raw/", "--data.in_channels 1"),
        (CIFAR100DataModule, "cifar-100-python", "--data.num_classes 100"),
        (SVHNDataModule, "train_32x32.mat and ", "--data SyntheticDataModule"),
    ],
)
def test_no_dataset_and_no_network(module, files, offline, tmp_path, monkeypatch, lit_cnn):
    monkeypatch.setattr("lit_cnn.data.download.open_url", no_network)
    monkeypatch.setattr("lit_cnn.data.download.WAITS", ())
    with pytest.raises(DataError) as caught:
        module(data_dir=str(tmp_path / "nothing")).prepare_data()
    message = str(caught.value)
    assert "no network" in message
    assert files in message
    assert offline in message
    assert len(message.splitlines()) == 3
    command = ("--model", "LitCNN", "--data", module.__name__, "--data.data_dir", "nothing", "--data.image_size", 24)
    added = message.partition("Without the dataset, add to the command: ")[2].split()
    assert lit_cnn("fit", *command, *added, "--print_config").code == 0


def test_torchvision_knows_the_names_that_are_used_of_it():
    assert datasets.FashionMNIST.classes == FashionMNISTDataModule.class_names
    assert datasets.KMNIST.classes == KMNISTDataModule.class_names
    names = {name for name, _ in datasets.FashionMNIST.resources}
    assert names == {f"{p}-{k}-ubyte.gz" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")}
    assert FASHION_MNIST.num_images == {"train": 60_000, "test": 10_000}


DATASETS = [c for c in subclasses_of(FromFiles) if c.__module__ == FromFiles.__module__]


@pytest.mark.parametrize("cls", DATASETS, ids=lambda cls: cls.__name__)
def test_every_dataset_states_what_the_model_needs(cls):
    data = cls()
    assert len(set(data.class_names)) == len(data.class_names) == data.num_classes
    assert min(data.in_channels, *data.image_size) >= 1
    for values in (getattr(cls, "mean", None), getattr(cls, "std", None)):
        assert values is None or len(values) == data.in_channels
    assert getattr(package, cls.__name__) is cls
    assert f"{cls.__name__}(" in cls.__doc__  # an example
