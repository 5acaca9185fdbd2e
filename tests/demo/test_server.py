"""The demo's server: what it hands out, and what it refuses."""

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import torch

import lit_cnn.demo
from lit_cnn.demo.picture import write_png
from lit_cnn.demo.server import FILES, Server
from lit_cnn.demo.session import Session
from lit_cnn.errors import ConfigError

PAGE = Path(lit_cnn.demo.__file__).parent / "page"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server():
    with Server(Session(["mlp_mnist"]), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    def ask(method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    return ask


def test_page_and_its_files_are_handed_out(ask):
    for path in FILES:
        answer, content = ask("GET", path)
        assert answer.status == 200
        assert content
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert {name for name, _ in FILES.values()} == {path.name for path in PAGE.iterdir()}
    assert ask("GET", "/../server.py")[0].status == 404


def test_page_names_no_other_host():
    for path in PAGE.iterdir():
        hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", path.read_text(encoding="utf-8")))
        assert hosts <= {"www.w3.org"}, path.name  # the name of SVG, which nobody asks


def test_networks_and_predictions_are_sent(ask):
    assert json.loads(ask("GET", "/about")[1])["networks"][0]["name"] == "mlp_mnist"
    ink = write_png(torch.eye(28, dtype=torch.uint8)[None] * 255)
    answer, content = ask("POST", "/look", json.dumps({"image": ink, "mode": "draw"}), JSON)
    assert answer.status == 200
    assert len(json.loads(content)["networks"][0]["probabilities"]) == 10


@pytest.mark.parametrize("body", ["", "{", "[]", "\udcff", '{"mode": "draw"}', '{"mode": "draw", "image": 3}'])
def test_wrong_request_is_answered_in_words(ask, body):
    answer, content = ask("POST", "/look", body.encode(errors="surrogateescape"), JSON)
    assert answer.status == 400
    assert json.loads(content)["error"]


def test_other_sites_are_refused(ask):
    assert ask("GET", "/about", headers={"Host": "evil.example"})[0].status == 403
    assert ask("POST", "/look", "{}", JSON | {"Host": "evil.example:7860"})[0].status == 403
    assert ask("POST", "/look", "{}", {"Content-Type": "text/plain"})[0].status == 403  # a form of another site
    assert ask("POST", "/elsewhere", "{}", JSON)[0].status == 404
    assert ask("POST", "/look", "", JSON | {"Content-Length": "9000000"})[0].status == 413


def test_port_in_use_is_said_with_the_remedy(server):
    with pytest.raises(ConfigError, match=rf"--port {server.server_port} on 127.0.0.1: .*in use.* --port 0 chooses"):
        Server(server.session, server.server_port)


def test_usual_port_in_use_is_no_obstacle(server, monkeypatch):
    monkeypatch.setattr("lit_cnn.demo.server.USUAL_PORT", server.server_port)
    with Server(server.session) as other:
        assert other.server_port != server.server_port


def test_wrong_port_is_refused(lit_cnn):
    outcome = lit_cnn("demo", "--port", "70000")
    assert outcome.code == 2
    assert "70000 is not a port, from 0 to 65535" in outcome.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.slow
def test_command_serves_this_machine_only_and_ends_with_ctrl_c(processes):
    processes.start("demo", "mlp_mnist", "--port", "0", "--no_browser")
    end = signal.SIGKILL
    try:
        processes.wait_for_file(processes.out)
        stop = time.monotonic() + 60
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+) ", processes.out.read_text())):
            assert time.monotonic() < stop, processes.out.read_text()
            time.sleep(0.05)
        port = int(found[1])
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.2", port), timeout=20)
        end = signal.SIGINT
    finally:
        os.kill(processes.pid, end)
        code, out = processes.wait()
    assert code == 0
    assert "Traceback" not in out


def test_bug_of_ours_is_named_as_such(ask, server, monkeypatch, capsys):
    monkeypatch.setattr(server.session, "look", lambda request: 1 / 0)
    answer, content = ask("POST", "/look", "{}", JSON)
    assert answer.status == 500
    assert json.loads(content) == {"error": "This is a bug of the demo. The terminal shows the details."}
    assert "ZeroDivisionError" in capsys.readouterr().err
