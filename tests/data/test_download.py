"""Downloads from a server in this process: none of the tests reaches a network."""

import gzip
import io
import tarfile
import threading
import time
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.pool import ThreadPool
from urllib.error import HTTPError, URLError

import pytest
from torchvision.datasets import CIFAR10

from lit_cnn import CIFAR10DataModule, MNISTDataModule
from lit_cnn.data import download
from lit_cnn.errors import DataError, DiskError

CONTENT = bytes(range(256)) * 20_000  # 5 MB
MD5 = md5(CONTENT).hexdigest()


@contextmanager
def serving(*answers):
    """Serves each answer once and then the last for ever; an answer is what a handler does."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            answers[min(len(asked), len(answers)) - 1](self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/file", asked
    finally:
        server.shutdown()
        server.server_close()


def answer(content=CONTENT, code=200, length=None, **headers):
    def send(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return send


def silence(handler):
    answer(CONTENT[:1000], length=len(CONTENT))(handler)
    handler.wfile.flush()
    time.sleep(1)


BROKEN_OFF = answer(CONTENT[:-1000], length=len(CONTENT))


@pytest.fixture(autouse=True)
def _http_for_the_test(monkeypatch):
    monkeypatch.setattr(download, "SCHEMES", {"http", "https"})
    monkeypatch.setattr(download, "WAITS", (0.01, 0.02))
    monkeypatch.setattr(download, "TIMEOUT", 0.3)


@pytest.mark.parametrize(
    "faults",
    [[], [BROKEN_OFF], [silence], [answer(b"", 503), BROKEN_OFF], [lambda handler: handler.connection.close()]],
    ids=["none", "broken off", "silent", "unavailable, then broken off", "closed"],
)
def test_a_download_that_fails_begins_again(tmp_path, faults):
    with serving(*faults, answer()) as (url, asked):
        download.get(url, tmp_path / "data" / "file", MD5)
    assert (tmp_path / "data" / "file").read_bytes() == CONTENT
    assert len(asked) == len(faults) + 1
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("fault", "error", "message", "attempts"),
    [
        (answer(CONTENT[::-1]), download.Corrupt, f"has the checksum .MD5. .*, not {MD5}", 1),
        (answer(b"", 404), HTTPError, "404", 1),
        (answer(b"", 500), HTTPError, "500", 3),
        (BROKEN_OFF, URLError, "ended after 5,119,000 of 5,120,000 bytes", 3),
        (silence, TimeoutError, None, 3),
        (answer(b"", 302, Location="file:///etc/passwd"), OSError, "file:///etc/passwd", 1),
        (answer(b"", 302, Location="ftp://127.0.0.1/x"), OSError, "ftp://127.0.0.1/x is not an https address", 1),
    ],
    ids=["another file", "missing", "unavailable", "broken off", "silent", "redirected to a file", "to ftp"],
)
def test_a_download_that_fails_for_good_leaves_nothing(tmp_path, fault, error, message, attempts):
    with serving(fault) as (url, asked), pytest.raises(error, match=message):
        download.get(url, tmp_path / "file", MD5)
    assert len(asked) == attempts
    assert list(tmp_path.iterdir()) == []


def test_only_https_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SCHEMES", {"https"})
    with serving(answer()) as (url, asked):
        for unsafe in (url, "file:///etc/passwd", "ftp://127.0.0.1/file"):
            with pytest.raises(OSError, match="is not an https address"):
                download.get(unsafe, tmp_path / "file", MD5)
    assert asked == []


def test_partial_downloads_start_again_and_wrong_files_are_replaced(tmp_path):
    (tmp_path / ".file.partial").write_bytes(CONTENT[7:1000])
    (tmp_path / "file").write_bytes(b"wrong")
    with serving(answer()) as (url, _):
        download.get(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_of_several_that_start_together_one_downloads(tmp_path):
    with serving(answer()) as (url, asked), ThreadPool(6) as pool:
        pool.map(lambda _: download.get(url, tmp_path / "file", MD5), range(6))
    assert len(asked) == 1
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_network(tmp_path):
    (tmp_path / "taken").touch()
    with serving(answer()) as (url, asked), pytest.raises(DiskError, match="taken/file cannot be written"):
        download.get(url, tmp_path / "taken" / "file", MD5)
    assert asked == []


def archive(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(("meta", "fault"), [(b"meta", None), (b"changed", "batches.meta is not the file of CIFAR-10")])
def test_cifar_is_unpacked_whole_and_each_file_verified(tmp_path, monkeypatch, meta, fault):
    base = "cifar-10-batches-py"
    packed = archive({f"{base}/a": b"a", f"{base}/b": b"b", f"{base}/batches.meta": meta, f"{base}/../../out": b"x"})
    monkeypatch.setattr(CIFAR10, "train_list", [["a", md5(b"a").hexdigest()]])
    monkeypatch.setattr(CIFAR10, "test_list", [["b", md5(b"b").hexdigest()]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "", "md5": md5(b"meta").hexdigest()})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(packed).hexdigest())
    data = CIFAR10DataModule(data_dir=str(tmp_path / "data"))
    with serving(answer(packed)) as (url, _):
        monkeypatch.setattr(CIFAR10, "url", url)
        if fault:
            with pytest.raises(DataError, match=fault):
                data.prepare_data()
        else:
            data.prepare_data()
    assert sorted(p.name for p in (tmp_path / "data" / base).iterdir()) == ["a", "b", "batches.meta"]
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [base, CIFAR10.filename]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packed_by", ["another", "nobody", "a liar"])
def test_an_archive_of_cifar_is_judged_by_the_files_in_it(tmp_path, monkeypatch, packed_by):
    base = "cifar-10-batches-py"
    files = {"a": b"a", "b": b"b", "batches.meta": b"meta"}
    monkeypatch.setattr(CIFAR10, "train_list", [["a", md5(b"a").hexdigest()]])
    monkeypatch.setattr(CIFAR10, "test_list", [["b", md5(b"b").hexdigest()]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "", "md5": md5(b"meta").hexdigest()})
    official = archive({f"{base}/{name}": content for name, content in files.items()})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(official).hexdigest())
    lying = files | ({"a": b"other bytes"} if packed_by == "a liar" else {})
    there = gzip.compress(gzip.decompress(archive({f"./{base}/{n}": c for n, c in lying.items()})), 1)
    (tmp_path / CIFAR10.filename).write_bytes(there[: len(there) // 2] if packed_by == "nobody" else there)
    data = CIFAR10DataModule(data_dir=str(tmp_path))
    with serving(answer(official)) as (url, asked):
        monkeypatch.setattr(CIFAR10, "url", url)
        data.prepare_data()
    assert bool(asked) == (packed_by != "another")
    assert {path.name: path.read_bytes() for path in (tmp_path / base).iterdir()} == files


def test_every_source_is_by_https_and_named_where_it_fails(tmp_path, monkeypatch):
    asked = []

    def nothing(url):
        asked.append(url)
        raise URLError("no network")

    monkeypatch.setattr(download, "open_url", nothing)
    monkeypatch.setattr(download, "WAITS", ())
    from lit_cnn.data.sources import cifar, mnist, svhn

    for source in (mnist.MNIST, mnist.FASHION_MNIST, mnist.KMNIST, cifar.CIFAR10, cifar.CIFAR100, svhn):
        with pytest.raises(DataError, match="no network"):
            source.find_or_download(tmp_path)
    assert len(asked) == 6
    assert all(url.startswith("https://") for url in asked)


def test_another_file_is_an_error_of_the_data_that_names_both_checksums(tmp_path, lit_cnn, monkeypatch):
    with serving(answer(b"another")) as (url, _):
        from dataclasses import replace

        monkeypatch.setattr(MNISTDataModule, "source", replace(MNISTDataModule.source, url=f"{url}/"))
        outcome = lit_cnn("fit", "--config", "mlp_mnist", "--data.data_dir", tmp_path / "data")
    assert outcome.code == 3
    lines = [line for line in outcome.err.splitlines() if not line.startswith("Seed set to")]
    assert len(lines) == 3
    assert f"has the checksum (MD5) {md5(b'another').hexdigest()}, not f68b3c2dcbeaaa9fbdd348bbdeb94873" in lines[0]
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []
