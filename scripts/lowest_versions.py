"""Tests the lowest versions that pyproject.toml allows: installs them in a new environment and runs tests.

    python scripts/lowest_versions.py FOLDER [TEST ...]

FOLDER is where the environment is made; one that is there already is used again. Without tests named it runs TESTS. The
download is several GB.
"""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]

# What touches the libraries in the most places: the Trainer, the command line, files, figures, exports, statistics.
TESTS = [
    "cli/test_main",
    "training/test_fast_loop",
    "runs/test_checkpoint_io",
    "cli/test_resume",
    "callbacks/test_callbacks",
    "callbacks/tensorboard/test_board",
    "training/test_metrics",
    "training/test_optimizers",
    "data/test_data_modules",
    "data/test_images",
    "data/test_datasets",
    "transforms/test_policies",
    "inference/test_export",
    "commands/test_search",
    "reports/test_statistics",
    "commands/test_report",
    "cli/test_allowed_imports",
    "models/test_networks",
    "models/test_models",
]


def floors(extra: str) -> list[str]:
    """Returns `name==version` for the lowest version of each package that lit_cnn and an extra of it ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines, waiting, seen = list(project["dependencies"]), [extra], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            lines += project["optional-dependencies"][name]
            waiting += [e for line in lines if line.startswith("lit-cnn[") for e in re.findall(r"\w+", line)[2:]]
    matches = [re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", line) for line in lines if not line.startswith("lit-cnn[")]
    assert all(matches), f"a requirement has no lowest version: {lines}"
    return sorted(f"{match[1]}=={match[2]}" for match in matches if match)


def main(folder: Path, tests: list[str]) -> int:
    """Installs, prints the versions, runs the tests; returns pytest's exit code."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    constraints = folder / "lowest.txt"
    constraints.write_text("\n".join(floors("test")) + "\n", "utf-8")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-e", f"{ROOT}[test]", "-c", constraints], check=True)
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    print(f"Python {version}, " + ", ".join(constraints.read_text("utf-8").split()), flush=True)
    tests = tests or [f"tests/{name}.py" for name in TESTS]
    # Libraries of then know nothing of what those of today, which they call, have deprecated since.
    tests += ["-W", "default::DeprecationWarning", "-W", "default::FutureWarning"]
    return subprocess.run([python, "-m", "pytest", *tests], cwd=ROOT).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
