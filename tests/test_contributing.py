"""The recipes of CONTRIBUTING.md, each followed to the letter in a copy of the checkout."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = {
    title: text
    for title, _, text in (
        section.partition("\n") for section in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## ")
    )
    if title.startswith("Add ")
}
# What the commands of each recipe print of the thing that was added.
PRINTED = {
    "Add an architecture": [
        "\nperceptron  Rosenblatt 1958      30,730  30,720 ",
        "\nsound",
        "\nLitPerceptron (30,730 parameters) on Synthetic, run ",
    ],
    "Add a dataset": ["\nLitMLP (4,810 parameters) on Digits, run "],
    "Add a verb": ["usage: python -m lit_cnn layers ", "\nfeatures.0               Conv2d "],
    "Add an augmentation": ["\nLitMLP (24,746 parameters) on Synthetic, run "],
    "Add a figure": ["\nconfidence.png: "],
}

# Imports what takes seconds once, and for each line forks a process that runs a script or module, as `python` would.
PYTHON = """
import gc, json, os, runpy, sys, traceback
import lightning.pytorch, matplotlib.figure, scipy.stats, torchvision
gc.freeze()
sys.pycache_prefix, sys.dont_write_bytecode = sys.argv[1], False  # for the commands of one checkout, and not in it
for line in sys.stdin:
    folder, program, *arguments = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        out = os.open("out.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ["PYTHONPATH"] = sys.path[0] = folder
        sys.argv, code = [program, *arguments], 0
        try:
            if program.endswith(".py"):
                runpy.run_path(program, run_name="__main__")
            else:
                runpy.run_module(program, run_name="__main__", alter_sys=True)
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs a script or module of a checkout with its arguments."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "-n 0"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-W", "ignore", "-c", PYTHON, tmp_path_factory.mktemp("bytecode")]
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def run(folder, *command):
            process.stdin.write(json.dumps([str(folder), *command]) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline()), (folder / "out.txt").read_text(encoding="utf-8")

        yield run
        process.stdin.close()


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout's files."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout")
    copy = tmp_path / "checkout"
    for name in listed.strip("\0").split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


def edits_of(recipe):
    """Returns the file, the language and the lines of each edit."""
    edits = []
    for part in re.split(r"^\*\*\d\.\*\* ", recipe, flags=re.M)[1:]:
        language, lines = re.search(r"^```(python|diff)\n(.*?)^```$", part, re.M | re.S).groups()
        edits.append((part.split("`")[1], language, lines))
    return edits


def commands_of(recipe):
    """Returns the commands, each as a script or a module with its arguments."""
    (block,) = re.findall(r"^```sh\n(.*?)^```$", recipe, re.M | re.S)
    words = [shlex.split(line) for line in block.splitlines()]
    assert all(line[0] == "python" for line in words)
    return [line[2:] if line[1] == "-m" else line[1:] for line in words]


def changed(text, diff):
    """Returns a file's text with the lines of each hunk added and removed, at the only place that they fit."""
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert f"\n{text}".count(f"\n{before}") == 1, before
        text = f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:]
    return text


def test_there_is_a_recipe_for_each_kind_of_addition():
    assert list(RECIPES) == list(PRINTED)


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_recipe_works_to_the_letter(title, checkout, python):
    edits = edits_of(RECIPES[title])
    assert 1 <= len(edits) <= 4
    assert len(edits) == len({file for file, *_ in edits})
    for file, language, lines in edits:
        path = checkout / file
        assert path.exists() == (language == "diff"), file
        content = changed(path.read_text(encoding="utf-8"), lines) if language == "diff" else lines
        path.write_text(content, encoding="utf-8")
    printed = ""
    for command in commands_of(RECIPES[title]):
        code, out = python(checkout, *command)
        assert code == 0, f"{command}: {out}"
        printed += f"\n{out}"
    assert [text for text in PRINTED[title] if text not in printed] == [], printed
    assert re.search(r"^\d+ passed", printed, re.M), printed
