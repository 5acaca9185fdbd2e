"""Writes the results of configs into their heads, the READMEs and docs, from configs/expected.json and weights.json.

    python -m scripts.make_results                                     # after expected.json changed; a test says when
    python -m scripts.make_results take cnn_mnist logs/exercise/CNN_permute=false-seed* --how "by python -m ..."

`take` records the finished runs of some folders, one of each seed, as the result of a config: the numbers of correct
test images, their mean and standard deviation. No result is typed by hand.
"""

import argparse
import json
import re
import textwrap
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lit_cnn.cli.shipped_configs import shipped_configs, shipped_experiments
from lit_cnn.experiments.expected import recorded
from lit_cnn.reports.many_runs import in_points, p_value
from lit_cnn.reports.statistics import holm, paired_test
from lit_cnn.runs.record import runs_in
from lit_cnn.runs.weights import INDEX

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "configs" / "expected.json"
EXERCISE = ("mlp_mnist", "mlp_mnist_permuted", "cnn_mnist", "cnn_mnist_permuted", "lenet_cifar", "vgg_cifar")
FIRST = ("quickstart", "fast_mnist", "fast_cifar", *EXERCISE)  # in a table of their own
COMPARED = {  # names of the exercise's comparisons, each with its two configs
    "MLP plain → permuted": ("mlp_mnist", "mlp_mnist_permuted"),
    "MLP → CNN, plain": ("mlp_mnist", "cnn_mnist"),
    "MLP → CNN, permuted": ("mlp_mnist_permuted", "cnn_mnist_permuted"),
    "CNN plain → permuted": ("cnn_mnist", "cnn_mnist_permuted"),
}
ONE, DRAWN = "runs", "runs with a permutation for each seed"
WIDTH = 118


def percent(runs: dict[str, Any] | None) -> str:
    """Returns mean and standard deviation of some runs in print, and a hyphen where there are none."""
    if runs is None:
        return "-"
    spread = f" +- {100 * runs['sd']:.2f}" if runs["n"] > 1 else ""
    return f"{100 * runs['mean']:.2f}{spread} %"


def _about(runs: dict[str, Any]) -> str:
    seeds = runs["seeds"]
    if runs["n"] == 1:
        return f"seed {seeds[0]}, {runs['how']}"
    return f"mean and standard deviation over seeds {seeds[0]} to {seeds[-1]}, {runs['how']}"


def result(entry: dict[str, Any]) -> str:
    """Returns the sentences about the result in a config's head."""
    elsewhere = f"; {entry['elsewhere']}" if "elsewhere" in entry else ""
    runs = entry.get(ONE)
    if runs is None:
        return f"not trained yet{elsewhere}."
    text = f"test accuracy {percent(runs)}"
    if "after" in runs:
        text += f" after {runs['after']} ({_about(runs)}). The whole recipe is not trained yet{elsewhere}."
    else:
        text += f" ({_about(runs)}){elsewhere}."
    if DRAWN in entry:
        text += f" With another permutation for each seed: {percent(entry[DRAWN])} ({entry[DRAWN]['how']})."
    return f"{text} {entry['note']}" if "note" in entry else text


def head(entry: dict[str, Any]) -> str:
    """Returns the generated lines of a config's head."""
    lines = []
    for text in (f"Result: {result(entry)}", f"Time: {entry.get('time', 'not measured yet')}."):
        together = text.replace(" +- ", "_+-_").replace(" %", "_%")  # a figure stays on its line
        lines += textwrap.wrap(together, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines).replace("_+-_", " +- ").replace("_%", " %")


def _table(title: list[str], rows: list[list[str]], right: int = 0) -> str:
    rule = ["---"] * (len(title) - right) + ["---:"] * right
    return "".join(f"| {' | '.join(row)} |\n" for row in (title, rule, *rows))


def of_configs(names: list[str], source: dict[str, Any]) -> str:
    """Returns the table of some configs."""
    rows = []
    for name in names:
        entry = source[name]
        runs = entry.get(ONE)
        after = f" after {runs['after']}" if runs and "after" in runs else ""
        accuracy = percent(runs) + after if runs else "not trained yet"
        rows.append([f"`{name}`", entry["shows"], accuracy, entry.get("short time", "not measured")])
    return _table(["config", "network", "test accuracy", "time"], rows)


def of_weights() -> str:
    """Returns the table of the weights in the package, with their own test accuracy."""
    rows = []
    for name, about in json.loads(INDEX.read_text("utf-8")).items():
        accuracy = percent({"n": 1, "mean": about["correct"] / about["test_images"]})
        rows.append([f"`{name}`", about["trained_on"], str(about["seed"]), accuracy])
    return _table(["weights", "trained on", "seed", "test accuracy"], rows)


def of_experiments() -> str:
    """Returns the table of the experiments: the question in the head of each."""
    rows = []
    for name, path in shipped_experiments().items():
        comment = " ".join(line[2:] for line in path.read_text("utf-8").splitlines() if line.startswith("# "))
        rows.append([f"`{name}`", re.split(r"(?<=[?:.]) ", comment)[0].rstrip(":")])
    return _table(["experiment, for `python -m lit_cnn ablate NAME`", "question"], rows)


def of_the_exercise(source: dict[str, Any]) -> str:
    """Returns the README's table of the results of the exercise's configs."""
    rows = []
    for name in EXERCISE:
        entry = source[name]
        course = entry["elsewhere"].removeprefix("the course reports ")
        rows.append([f"`{name}`", entry["shows"], course, percent(entry[ONE]), percent(entry.get(DRAWN))])
    return _table(["config", "network", "the course", "test accuracy", "a permutation for each seed"], rows)


def accuracies(runs: dict[str, Any]) -> dict[int, float]:
    """Returns the test accuracy of each seed."""
    return {seed: right / runs["images"] for seed, right in zip(runs["seeds"], runs["correct"], strict=True)}


def of_differences(source: dict[str, Any]) -> str:
    """Returns the README's table of differences, by the statistics of `report`."""
    columns = []
    for key in (ONE, DRAWN):
        tests = []
        for pair in COMPARED.values():
            first, second = (accuracies(source[name].get(key, source[name][ONE])) for name in pair)
            test = paired_test(first, second, within=(-1, 1))
            assert test is not None, pair
            tests.append(test)
        corrected = holm([test.p for test in tests])
        columns.append([
            [f"{100 * test.difference:+z.2f}", in_points(test), p_value(p)]
            for test, p in zip(tests, corrected, strict=True)
        ])  # fmt: skip
    rows = [[name, *one, *drawn] for name, one, drawn in zip(COMPARED, *columns, strict=True)]
    title = ["difference", "95 % interval", "p"]
    return _table(["first → second", *title, *(f"{t}, a permutation for each seed" for t in title)], rows, right=6)


def between(text: str, name: str, new: str) -> str:
    """Returns a Markdown text with new content between the two markers of this name."""
    pattern = rf"(<!-- {name}: by scripts/make_results.py -->\n\n).*?(\n<!-- /{name} -->)"
    found, n = re.subn(pattern, lambda m: m[1] + new + m[2], text, flags=re.DOTALL)
    if n != 1:
        raise ValueError(f"there are {n} places <!-- {name}: by scripts/make_results.py --> instead of one")
    return found


def documents() -> dict[Path, str]:
    """Returns the right content of every file with results."""
    source = recorded()
    found = {}
    trained = {name: path for name, path in shipped_configs().items() if "/" not in name}
    for name, path in trained.items():
        made, n = re.subn(
            r"^# Result:.*?(?=^# python -m lit_cnn fit )",
            lambda _, name=name: head(source[name]),  # type: ignore[misc]
            path.read_text("utf-8"),
            flags=re.DOTALL | re.MULTILINE,
        )
        assert n == 1, path
        found[path] = made
    path = ROOT / "configs" / "README.md"
    text = between(path.read_text("utf-8"), "first", of_configs(list(FIRST), source))
    text = between(text, "classic", of_configs([name for name in source if name not in FIRST], source))
    found[path] = between(text, "experiments", of_experiments())
    path = ROOT / "docs" / "using.md"
    found[path] = between(path.read_text("utf-8"), "weights", of_weights())
    path = ROOT / "README.md"
    text = between(path.read_text("utf-8"), "exercise", of_the_exercise(source))
    found[path] = between(text, "differences", of_differences(source))
    return found


def figures(folders: list[Path]) -> dict[str, Any]:
    """Returns the results of finished runs, one of each seed.

    Raises:
        SystemExit: If a run has no result, or a seed occurs twice.
    """
    right: dict[int, int] = {}
    images = set()
    for run in runs_in(folders):
        if run.fault or run.seed in right:
            raise SystemExit(f"{run.folder}: {run.fault or f'seed {run.seed} again'}")
        right[run.seed] = run.results["test/correct"]
        images.add(run.results["test_images"])
    (n,) = images
    shares = [right[seed] / n for seed in sorted(right)]
    found = {"n": len(shares), "mean": mean(shares)}
    if len(shares) > 1:
        found["sd"] = stdev(shares)
    return found | {"seeds": sorted(right), "correct": [right[seed] for seed in sorted(right)], "images": n}


def write_source(source: dict[str, Any]) -> None:
    """Writes configs/expected.json, each list on a line."""
    text = json.dumps(source, indent=2, ensure_ascii=False)
    SOURCE.write_text(re.sub(r"\[[^\[\]]*\]", lambda m: json.dumps(json.loads(m[0])), text) + "\n", "utf-8")


def main() -> None:
    """Records results with the verb `take`, and writes all files again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb")
    taken = verbs.add_parser("take")
    taken.add_argument("config")
    taken.add_argument("folders", nargs="+", type=Path)
    taken.add_argument("--how", required=True, help="the command, for the head of the config")
    taken.add_argument("--hardware", required=True)
    taken.add_argument("--drawn", action="store_true", help="each seed had its own permutation")
    given = parser.parse_args()
    if given.verb:
        source = recorded()
        about = {"how": given.how, "hardware": given.hardware}
        source[given.config][DRAWN if given.drawn else ONE] = figures(given.folders) | about
        write_source(source)
    for path, text in documents().items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
