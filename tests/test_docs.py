"""The READMEs and the pages of docs/: commands, Python, YAML, links and figures are checked as a reader would use them.

Every command is parsed by the code that takes it; those of docs/start.md are run.
"""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import torch
import yaml

import lit_cnn as package
from lit_cnn.cli.main import COMMANDS, VERBS
from lit_cnn.cli.quick_check import check as quick_check
from lit_cnn.cli.shipped_configs import find_file, name_of, shipped_configs
from lit_cnn.commands import arguments
from lit_cnn.errors import ConfigError

ROOT = Path(__file__).parents[1]
MADE = {"_build", "generated", "_static"}
PAGES = [*ROOT.glob("README*.md"), ROOT / "configs" / "README.md"]
PAGES += [path for path in sorted((ROOT / "docs").rglob("*.md")) if not MADE & set(path.parts)]
TOOLS = {"tensorboard", "mkdir", "mlflow", "wandb", "for", "do", "done", "cd", "git", "uv", "ruff", "mypy", "docker"}
QUICKSTART = shipped_configs()["quickstart"]
OF_A_READER = re.compile(r"my_\w+(\.yaml)?")  # experiments that readers write
SHORT = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "8", "--pictures.enabled", "false")


def name(path):
    return path.relative_to(ROOT).as_posix()


def blocks(path, language):
    found = re.findall(r"^```(\S*)[^\n]*\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)
    return [content for kind, content in found if kind == language]


def commands(path):
    """Returns the words of each command: in sh blocks, above an output, and without placeholders in sentences."""
    lines = "".join(blocks(path, "sh")).replace("\\\n", " ").splitlines()
    lines += re.findall(r"^(?:\$ )?(python .*)$", "".join(blocks(path, "")), re.M)
    inline = re.findall(r"`(python (?:-m lit_cnn|scripts/)[^`]*)`", path.read_text("utf-8").replace("\n", " "))
    found = []
    for line in [*lines, *(command for command in inline if not re.search(r"[A-Z]{3}|\.\.\.", command))]:
        words = shlex.split(line, comments=True)
        while words:
            end = next((i for i, word in enumerate(words) if word in ("&&", "&", "|", ";", ">")), len(words))
            if command := [word.rstrip(";") for word in words[:end]]:
                found.append(command)
            words = words[end + (2 if words[end : end + 1] == [">"] else 1) :]
    return found


def without_variables(command):
    return command[1:] if re.fullmatch(r"[A-Z_]+=\S+", command[0]) else command


class Parsed(Exception):
    """The arguments of a verb are right."""


@pytest.fixture
def parsed(monkeypatch):
    """Has each verb beside the Trainer's end when its arguments are parsed; returns what it leaves to `fit`."""
    left = []

    def parse(self, argv=None, *_):
        _, rest = super(arguments.Parser, self).parse_known_args(argv)
        left[:] = rest
        raise Parsed

    monkeypatch.setattr(arguments.Parser, "parse_args", parse)
    monkeypatch.setattr(arguments.Parser, "parse_before_settings", parse)
    return left


def check(argv):
    """Checks settings as `fit` does; a tracker that a page has the reader install first may be missing."""
    try:
        quick_check(argv)
    except ConfigError as error:
        if "which is not installed" not in str(error):
            raise


def stand_in(argv):
    """Makes the runs that a command names, as far as the checks look at them."""
    for given in argv:
        if match := re.match(r"logs/(\w+)/version_\d+", given):
            (folder := Path(match[0], "checkpoints")).mkdir(parents=True, exist_ok=True)
            for checkpoint in ("best.ckpt", "last.ckpt"):
                (folder / checkpoint).touch()
            shutil.copy(shipped_configs().get(match[1], QUICKSTART), folder.parent / "config.yaml")
        elif given == "--resume" and "--config" in argv:
            stand_in([f"logs/{name_of(argv[argv.index('--config') + 1])}/version_0"])


def try_verb(argv, left):
    """Parses the arguments of a verb of ours."""
    from importlib import import_module

    if "--allow" in argv:  # of every verb
        argv = argv[: argv.index("--allow")] + argv[argv.index("--allow") + 2 :]
    verb, *rest = argv
    assert verb in VERBS or verb in COMMANDS or verb.startswith("--"), verb
    if verb.startswith("--"):
        return
    stand_in(rest)
    if verb in VERBS:
        check(argv)
        return
    with pytest.raises(Parsed):
        import_module(f"lit_cnn.commands.{verb}").main(rest)
    if verb == "check":
        check(["fit", *left])
    elif left:
        assert left[0].startswith("--"), f"{verb} does not take {left[0]}"
        check(["fit", "--config", "mlp_mnist", *left])
    if verb in ("ablate", "search") and not OF_A_READER.fullmatch(rest[0]):
        find_file(rest[0], "experiment")


def try_script(file, flags):
    """A script is there, and it or a part of it knows the flags."""
    assert file.is_file(), file
    assert file.name != "bench.py" or (ROOT / "scripts" / "benchmarks" / f"{flags[0]}.py").is_file(), flags[0]
    source = "".join(path.read_text("utf-8") for path in [file, *(ROOT / "scripts" / "benchmarks").glob("*.py")])
    for flag in flags:
        of_fit = flag.startswith(("--model", "--trainer."))  # which scripts pass on
        assert not flag.startswith("--") or of_fit or f'"{flag}"' in source, f"{file.name} has no {flag}"


def try_install(words):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for word in words:
        for extra in re.findall(r"\[([\w,]+)\]", word):
            assert set(extra.split(",")) <= set(extras), word
        assert not word.endswith(".txt") or (ROOT / word).is_file(), word


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_commands_are_right(path, parsed):
    for block in blocks(path, "yaml"):
        if match := re.match(r"# (\w+\.yaml)\n", block):
            Path(match[1]).write_text(block)
    for command in map(without_variables, commands(path)):
        try:
            if command[0] == "lit_cnn":
                try_verb(command[1:], parsed)
            elif "lit_cnn" in command and command[command.index("lit_cnn") - 1] == "-m":
                try_verb(command[command.index("lit_cnn") + 1 :] or ["--help"], parsed)
            elif command[:3] == ["python", "-m", "pytest"]:
                files = [word for word in command[3:] if word.startswith("tests/") and "{" not in word]
                assert all((ROOT / file).exists() for file in files), files
            elif command[:2] == ["python", "-m"]:
                assert command[2].startswith("scripts."), command
                try_script(ROOT / f"{command[2].replace('.', '/')}.py", command[3:])
            elif command[0] == "python":
                try_script(ROOT / command[1], command[2:])
            elif command[:2] == ["pip", "install"]:
                try_install(command[2:])
            else:
                assert command[0] in TOOLS, command
        except Exception as error:
            raise AssertionError(f"{name(path)}: {shlex.join(command)}: {error}") from error


def test_there_are_commands_to_check():
    assert sum(len(commands(path)) for path in PAGES) > 80


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_python_and_yaml_are_right(path):
    for block in blocks(path, "python"):
        compile(block, name(path), "exec")
        for line in re.findall(r"^from lit_cnn import (.*)", block, re.M):
            assert set(line.split(", ")) <= set(package.__all__), line
    for number, block in enumerate(blocks(path, "yaml")):
        content = yaml.safe_load(block)
        if content.keys() <= {"model", "data", "trainer"}:
            Path(f"{number}.yaml").write_text(block)
            check(["fit", "quickstart", f"{number}.yaml"])


def test_keyed_draws_are_as_the_page_says():
    (block,) = blocks(ROOT / "docs" / "keyed_randomness.md", "python")
    exec(compile(block, "keyed_randomness.md", "exec"), {})


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name)
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert "://" in link or (path.parent / link).exists(), link


@pytest.mark.slow
def test_start_works_as_it_stands(lit_cnn):
    """The commands of docs/start.md in their order, each training cut short."""
    torch.manual_seed(0)
    done = []
    for command in commands(ROOT / "docs" / "start.md"):
        if "lit_cnn" not in command:
            continue
        argv = command[3:]
        if argv[0] == "demo":  # serves until Ctrl-C; its own tests open it
            continue
        if "digit.png" in argv:
            from PIL import Image

            Image.new("L", (40, 40)).save("digit.png")
        outcome = lit_cnn(*argv, *(SHORT if argv[0] == "fit" else ()))
        assert outcome.code == 0, f"{command}: {outcome.err}"
        done.append(argv[0])
    assert done == ["fit", "report", "test", "classify", "explain", "fit", "fit", "fit", "compare", "fit"]


def test_both_readmes_show_the_same_commands_and_figures():
    english, chinese = ((ROOT / f"README{tongue}.md").read_text("utf-8") for tongue in ("", ".zh-CN"))
    both = [commands(ROOT / f"README{tongue}.md") for tongue in ("", ".zh-CN")]
    assert [command for command in both[1] if command not in both[0]] == []
    assert both[1][:4] == both[0][:4]
    assert blocks(ROOT / "README.md", "") == blocks(ROOT / "README.zh-CN.md", "")
    figures = re.compile(r"\d[\d,.]*\d|\d+")
    assert set(figures.findall(chinese)) - set(figures.findall(english)) == set()
    for text in (english, chinese):
        assert "(docs/terminal.svg)" in text
        assert "(docs/permuted.png)" in text
    assert len(english.splitlines()) <= 150


def test_ci_finds_the_two_commands():
    line = next(line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if "[test]" in line)
    assert line == "pip install -e '.[test]' && python -m pytest"
