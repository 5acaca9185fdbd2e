"""Windows, imitated: `windows/sitecustomize.py` removes what it lacks from Python, `windows/session.py` runs verbs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lit_cnn import files
from lit_cnn.runs.folder import is_name

ROOT = Path(__file__).parents[1]
HELPERS = ROOT / "tests" / "windows"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="imitated on Linux")
def test_verbs_run_on_an_imitated_windows():
    """In a locale whose encoding is not UTF-8."""
    environment = os.environ | {"PYTHONPATH": f"{HELPERS}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = subprocess.run([sys.executable, HELPERS / "session.py"], capture_output=True, env=environment, check=False)
    out = ran.stdout.decode()
    assert ran.returncode == 0, out + ran.stderr.decode()
    assert "runs in logs/tiny" in out
    assert "the cache of the decoded images, cannot be used: The process cannot access the file" in out
    assert out.splitlines()[-1] == "done"


@pytest.mark.parametrize("name", ["con", "Aux.b", "nul", "a/COM1", "lpt¹.x", "a:b", "a?", "a.", "a /b", "a\\b", 'a"'])
def test_names_that_windows_refuses_are_refused_everywhere(name):
    assert not is_name(name)


@pytest.mark.parametrize("name", ["console", "a.b", "größe/x=1", "auxiliary", "com", "a+b (2)"])
def test_other_names_are_taken(name):
    assert is_name(name)


def test_a_rename_waits_for_a_reader(monkeypatch, tmp_path):
    replace, tries = os.replace, []

    def refused(old, new):
        tries.append(new)
        if len(tries) < 3:
            raise PermissionError(13, "used by another process")
        replace(old, new)

    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(os, "replace", refused)
    files.write_text(tmp_path / "x", "text")
    assert (tmp_path / "x").read_text("utf-8") == "text"


def _names_its_encoding(call):
    function = call.func
    if isinstance(function, ast.Name):
        name, of = function.id, ""
    elif isinstance(function, ast.Attribute):
        name, of = function.attr, ast.unparse(function.value)
    else:
        return True
    text = ast.unparse(call)
    if name not in ("open", "fdopen", "read_text", "write_text") or "utf-8" in text or "'rb" in text or "'wb" in text:
        return True
    return of in ("os", "files", "images", "Image", "gzip", "tarfile", "opener", "webbrowser") or "build_opener" in of


@pytest.mark.parametrize("room", ["lit_cnn", "scripts"])
def test_text_files_are_utf_8_on_every_system(room):
    calls = [
        f"{path.relative_to(ROOT)}:{call.lineno} {ast.unparse(call)[:80]}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and not _names_its_encoding(call)
    ]
    assert [call for call in calls if "/proc/" not in call] == []
