"""`report` and `compare`: which runs they read, how they group them, and that their figures are those of the runs."""

import csv
import html
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import run_once
from scipy import stats

from lit_cnn.reports import many_runs
from lit_cnn.reports.document import Code, Document, Heading, Paragraph, Table
from lit_cnn.reports.groups import differences, group_runs
from lit_cnn.reports.writers import to_csv, to_html, to_latex, to_markdown, write
from lit_cnn.runs.record import runs_in

SYNTHETIC = (
    "--data", "SyntheticDataModule", "--data.image_size", "16", "--data.num_classes", "3", "--data.train_images", "200",
    "--data.test_images", "60", "--trainer.accelerator", "cpu", "--pictures.enabled", "false", "--trainer.max_epochs",
    "2", "--data.batch_size", "32",
)  # fmt: skip


def written(folder, name, seed=0, accuracy=0.5, data="lit_cnn.MNISTDataModule", **settings):
    """A run's folder as `fit` leaves it, without its checkpoint."""
    n = len(list((Path(folder) / name).glob("version_*")))
    run = Path(folder) / name / f"version_{n}"
    run.mkdir(parents=True)
    model = {"class_path": "lit_cnn.LitMLP", "init_args": {"lr": 0.1, **settings}}
    config = {"seed_everything": seed, "model": model, "test_after_fit": True, "trainer": {"max_epochs": 2}}
    config["data"] = {"class_path": data, "init_args": {"data_dir": "data"}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    if accuracy is not None:
        results = {
            "test/acc": accuracy,
            "test/nll": 1 - accuracy,
            "fit_seconds": 3.0,
            "parameters": 100,
            "steps": 9,
            "epochs": 2,
        }
        (run / "results.json").write_text(json.dumps(results))
    return run


def report(lit_cnn, *argv):
    outcome = lit_cnn("report", *argv)
    assert outcome.code == 0, outcome.err
    return outcome.out


def tables(folder):
    """The tables of report.csv, each by the start of its caption."""
    found, current = {}, []
    for row in csv.reader(io.StringIO((Path(folder) / "report.csv").read_text())):
        if row and row[0].startswith("# "):
            current = found.setdefault(row[0][2:], [])
        elif row:
            current.append(row)
    return found


def table(folder, start):
    return next(rows for caption, rows in tables(folder).items() if caption.startswith(start))


def test_runs_that_differ_in_their_seed_alone_are_one_variant(lit_cnn):
    values = {0.1: [0.80, 0.84, 0.79, 0.81], 0.2: [0.90, 0.91, 0.86, 0.93]}
    for lr, accuracies in values.items():
        for seed, accuracy in enumerate(accuracies):
            written("logs", "mlp", seed, accuracy, lr=lr)
    out = report(lit_cnn, "logs")
    rows = table("logs", "Mean and standard deviation")
    assert [row[0] for row in rows[1:]] == ["mlp lr=0.1", "mlp lr=0.2"]
    for row, accuracies in zip(rows[1:], values.values(), strict=True):
        found = stats.ttest_1samp([100 * a for a in accuracies], 0)
        low, high = found.confidence_interval()
        assert row[1:5] == [
            f"{100 * sum(accuracies) / 4:.2f}", f"{stats.tstd([100 * a for a in accuracies]):.2f}",
            f"{low:.2f} to {high:.2f}", "4",
        ]  # fmt: skip
    (_, pair) = table("logs", "Test accuracy of the second")
    p = stats.ttest_rel(values[0.2], values[0.1]).pvalue
    assert pair[0] == "mlp lr=0.1 → mlp lr=0.2"
    assert pair[1] == "+9.00"
    assert pair[4] == pair[5] == f"{p:.3f}"
    assert table("logs", "All settings that differ") == [
        ["variant", "model.lr"],
        ["mlp lr=0.1", "0.1"],
        ["mlp lr=0.2", "0.2"],
    ]
    assert "mlp lr=0.2" in out
    assert out.splitlines()[-4:] == [f"logs/report.{form}" for form in ("html", "md", "tex", "csv")]


def test_missing_cut_off_and_repeated_runs_are_named_and_not_counted(lit_cnn):
    written("logs", "a", 0, 0.5)
    written("logs", "a", 0, 0.7)
    written("logs", "a", 1, 0.6)
    cut = written("logs", "a", 2, None)
    (cut / "metrics.csv").write_text("epoch,step,train/acc\n0,9,0.5\n")
    report(lit_cnn, "logs")
    assert table("logs", "Mean and standard")[1][1:5:3] == ["65.00", "2 of 3"]
    assert table("logs", "2 runs are missing")[1:] == [
        ["logs/a/version_3", "stopped after epoch 1"],
        ["logs/a/version_0", "seed 0 again; the newest counts"],
    ]


def test_runs_of_different_datasets_are_apart_and_never_averaged(lit_cnn):
    for seed in range(2):
        written("logs", "m", seed, 0.9 + seed / 100)
        written("logs", "c", seed, 0.4 + seed / 100, data="lit_cnn.CIFAR10DataModule")
    report(lit_cnn, "logs")
    text = Path("logs/report.md").read_text()
    assert "4 finished runs of 2 variants on CIFAR10 and MNIST." in text
    assert text.index("## CIFAR10") < text.index("| c | 40.50 |") < text.index("## MNIST") < text.index("| m | 90.50 |")
    assert "→" not in text


def test_folders_of_images_are_different_datasets():
    for name in ("x", "y"):
        run = written("logs", name, data="lit_cnn.ImageFolderDataModule")
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["data"]["init_args"]["data_dir"] = name
        (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert {run.dataset for run in runs_in([Path("logs")])} == {"ImageFolder in x", "ImageFolder in y"}


def test_differences_are_those_of_the_configs_and_nothing_else():
    written("logs", "a", 0, lr=0.1, hidden=[8])
    written("logs", "b", 3, lr=0.1, hidden=[9])
    assert differences(group_runs(runs_in([Path("logs")]))) == {"model.hidden": ["[8]", "[9]"]}


def test_runs_of_one_config_under_several_names_have_them_all(tmp_path):
    for name, seed in (("mine", 0), ("again", 1), ("mine", 2)):
        written(tmp_path, name, seed)
    (group,) = group_runs(runs_in([tmp_path]))
    assert (group.label, len(group.runs)) == ("again, mine", 3)


def test_baseline_is_compared_with_all_others(lit_cnn):
    for name, accuracy in (("a", 0.5), ("b", 0.6), ("c", 0.7)):
        for seed in range(3):
            written("logs", name, seed, accuracy + seed * accuracy / 50, lr=accuracy)
    report(lit_cnn, "logs", "--baseline", "b", "--format", "csv")
    pairs = [row[0] for row in table("logs", "Test accuracy of the second")[1:]]
    assert pairs == ["b → a", "b → c"]
    assert not Path("logs/report.html").exists()
    outcome = lit_cnn("report", "logs", "--baseline", "d")
    assert outcome.code == 2
    assert "--baseline d: no such variant" in outcome.err


def test_pairs_that_differ_by_one_image_each_are_called_what_they_are(lit_cnn):
    for seed, right in enumerate((946, 948, 949)):
        for name, more in (("a", 0), ("b", 1), ("c", -1)):
            run = written("logs", name, seed, float(np.float32((right + more) / 1000)), lr=more)  # as it was once
            results = json.loads((run / "results.json").read_text())
            (run / "results.json").write_text(json.dumps(results | {"test_images": 1000}))
    written("logs", "d", 0, 0.948, lr=3)
    written("logs", "d", 1, 0.948, lr=3)
    report(lit_cnn, "logs", "--baseline", "a")
    rows = {row[0]: row[1:] for row in table("logs", "Test accuracy of the second")}
    assert rows["a → b"] == ["+0.10", "no spread", "3", "-", "-"]
    assert rows["a → c"] == ["-0.10", "no spread", "3", "-", "-"]
    assert rows["a → d"][0:2] == ["+0.10", "-"]  # two seeds are too few for an interval
    assert rows["a → d"][3] == rows["a → d"][4] == "0.500"  # the others are no comparisons
    results = {row[0]: row for row in table("logs", "Mean and standard")}
    assert results["d"][1:5] == ["94.80", "0.00", "-", "2"]
    text = Path("logs/report.md").read_text()
    assert "No spread: all seeds have the same result" in text
    assert not re.search(r"-0\.00|nan|e-\d\d", text.split("## Cost")[0])


def test_a_difference_of_zero_has_no_sign(lit_cnn):
    for seed, (a, b) in enumerate(((0.5, 0.50001), (0.6, 0.59998))):
        written("logs", "a", seed, a)
        written("logs", "b", seed, b, lr=1)
    report(lit_cnn, "logs")
    assert table("logs", "Test accuracy of the second")[1][1] == "+0.00"


def test_interval_of_accuracies_ends_where_they_do(lit_cnn):
    for seed in range(3):
        written("logs", "a", seed, 0.1 + 0.4 * seed)
        written("logs", "b", seed, 0.9 - 0.4 * seed, lr=1)
    report(lit_cnn, "logs")
    assert table("logs", "Mean and standard")[1][3] == "0.00 to 100.00"
    assert table("logs", "Test accuracy of the second")[1][2] == "-100.00 to +100.00"


def test_report_says_whether_the_spread_contains_the_draw_of_the_permutation(lit_cnn):
    kinds = {"plain": {}, "one": {"permute": True, "permute_seed": 0}, "own": {"permute": True, "permute_seed": "seed"}}
    for name, settings in kinds.items():
        for seed in range(2):
            run = written("logs", name, seed, 0.5 + seed / 50)
            config = yaml.safe_load((run / "config.yaml").read_text())
            config["data"]["init_args"] |= settings
            (run / "config.yaml").write_text(yaml.safe_dump(config))
    report(lit_cnn, "logs")
    text = Path("logs/report.md").read_text()
    assert "All seeds of one have the same permutation of the pixels, so standard deviations, intervals" in text
    assert "Each seed of own has its own permutation of the pixels" in text
    shutil.rmtree("logs/one")
    shutil.rmtree("logs/own")
    report(lit_cnn, "logs")
    assert "permutation" not in Path("logs/report.md").read_text()


def test_selection_bias_is_shown_after_test_each_epoch(lit_cnn):
    for seed, best in enumerate((0.56, 0.58)):
        run = written("logs", "a", seed, 0.5)
        (run / "metrics.csv").write_text(f"epoch,step,each_epoch/test_acc\n0,9,0.4\n1,19,{best}\n2,29,0.5\n")
    report(lit_cnn, "logs")
    (row,) = table("logs", "The test accuracy if the epoch were chosen by the test images")[1:]
    assert row[:4] == ["a", "50.00 ± 0.00", "57.00 ± 1.41", "+7.00"]


@pytest.mark.parametrize(("seeds", "promised"), [(2, False), (3, True)])
def test_figure_has_intervals_from_three_seeds_on(lit_cnn, monkeypatch, seeds, promised):
    titles = []
    draw = many_runs.interval_chart
    monkeypatch.setattr(many_runs, "interval_chart", lambda *args: titles.append(args[-1]) or draw(*args))
    for seed in range(seeds):
        written("logs", "a", seed, 0.5 + seed / 100)
    report(lit_cnn, "logs", "--format", "md")
    assert ["interval" in title for title in titles] == [promised]
    assert ("Bars are the 95 % intervals" in Path("logs/report.md").read_text()) == promised


def test_copy_of_a_run_under_another_name_is_a_run(lit_cnn):
    shutil.copytree(written("logs", "a"), "mine")
    Path("mine/checkpoints").mkdir()
    report(lit_cnn, "mine", "--format", "md")
    assert Path("mine/report.md").read_text().startswith("# mine\n")


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("report", "nowhere"), 2, "nowhere: there are no such runs"),
        (("report", "empty"), 2, "empty contains no runs"),
        (
            ("report", "exercise"),
            2,
            "logs/exercise: there are no runs yet. Start them: python -m lit_cnn ablate exercise",
        ),
        (("report", "empty", "--format", "pdf"), 2, "'pdf'"),
        (("compare", "empty", "nowhere"), 4, "There is no checkpoint in empty"),
    ],
)
def test_bad_input_ends_in_a_sentence(lit_cnn, argv, code, message):
    Path("empty").mkdir()
    outcome = lit_cnn(*argv)
    assert outcome.code == code
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 3


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Two networks after a short training, one of them hardly trained."""
    folder = tmp_path_factory.mktemp("two")
    for name, lr in (("slow", "1e-6"), ("fast", "0.01")):
        run_once(folder, "--model", "LitCNN", *SYNTHETIC, "--model.lr", lr, "--name", name)
    return folder / "logs"


class Pictures(HTMLParser):
    """Notes what a page loads."""

    def __init__(self):
        super().__init__()
        self.sources = []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for key, value in attrs if key in ("src", "href", "data")]


def test_report_of_one_run_has_the_runs_own_figures(lit_cnn, two_runs):
    run = two_runs / "fast" / "version_0"
    out = report(lit_cnn, run, "--output", "here")
    results = json.loads((run / "results.json").read_text())
    text = Path("here/report.md").read_text()
    assert f"{results['test/acc']:.2%}" in out
    assert f"has {round(results['test/acc'] * 60)} of 60 test images correct" in text
    assert "the same as the run recorded" in text
    assert f"an NLL of {results['test/nll']:.4f}" in text
    per_class = table("here", "The test images of each class")[1:]
    assert [row[2] for row in per_class] == [f"{results[f'test/acc_of/{row[0]}']:.2%}" for row in per_class]
    assert (run / "config.yaml").read_text().rstrip() in text
    curves = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert [name for name in curves if "curves" in name] == ["report_files/curves_by_epoch.png"]
    assert all((Path("here") / name).is_file() for name in curves)
    page = Pictures()
    page.feed(Path("here/report.html").read_text())
    assert len(page.sources) == len(curves)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)


def test_report_says_what_it_cannot_show_without_the_test_images(lit_cnn, two_runs, tmp_path):
    run = written("logs", "a", 0, 0.5)
    out = report(lit_cnn, run)
    assert "Some parts need the test images and are missing" in (run / "report.md").read_text()
    assert out


def test_report_notices_a_checkpoint_that_is_not_the_recorded_one(lit_cnn, two_runs, tmp_path):
    run = tmp_path / "logs" / "x" / "version_0"
    run.parent.mkdir(parents=True)
    shutil.copytree(two_runs / "slow" / "version_0", run)
    results = json.loads((run / "results.json").read_text())
    (run / "results.json").write_text(json.dumps(results | {"test/acc": results["test/acc"] + 0.05}))
    report(lit_cnn, run)
    assert "the data, the checkpoint or the settings have changed" in (run / "report.md").read_text()


def test_compare_tests_the_same_images(lit_cnn, two_runs):
    outcome = lit_cnn("compare", two_runs / "slow", two_runs / "fast")
    assert outcome.code == 0, outcome.err
    text = Path("comparison/compare.md").read_text()
    accuracies = [
        round(60 * json.loads((two_runs / name / "version_0/results.json").read_text())["test/acc"])
        for name in ("slow", "fast")
    ]
    a, b = (re.search(rf"\| {row} \| (\d+) \| (\d+) \|", text) for row in ("A correct", "A wrong"))
    both, only_a, only_b, neither = map(int, (*a.groups(), *b.groups()))
    assert [both + only_a, both + only_b, both + only_a + only_b + neither] == [*accuracies, 60]
    p = stats.binomtest(only_a, only_a + only_b).pvalue
    assert f"p = {p:.1e}" in text or f"p = {p:.3f}" in text
    assert "| model.lr | 1e-06 | 0.01 |" in text
    assert "comparison/compare.html" in outcome.out


def test_compare_refuses_runs_of_different_datasets(lit_cnn, two_runs):
    (written("logs", "a") / "checkpoints").mkdir()
    (written("logs", "b", data="lit_cnn.CIFAR10DataModule") / "checkpoints").mkdir()
    outcome = lit_cnn("compare", "logs/a", "logs/b")
    assert outcome.code == 2
    assert "logs/a/version_0 is of MNIST, but logs/b/version_0 of CIFAR10" in outcome.err


def test_every_format_escapes_its_special_characters():
    document = Document(
        "a<b & c", [Heading("x_1"), Paragraph("5 < 6"), Code("<&>"), Table("50 % ±", ["_", "|"], [["<", "#"]])]
    )
    page = to_html(document)
    assert "<h1>a&lt;b &amp; c</h1>" in page
    assert "&lt;&amp;&gt;" in page
    assert "| < | # |" in to_markdown(document)
    assert "| _ | \\| |" in to_markdown(document)
    assert "\\_ & \\textbar{} " in to_latex(document)
    assert "50 \\% $\\pm$" in to_latex(document)
    assert list(csv.reader(io.StringIO(to_csv(document)))) == [["# 50 % ±"], ["_", "|"], ["<", "#"], []]


NAMES = {
    "$x^$": (r"\$x^\$", r"\$x\textasciicircum{}\$"),
    "100% $$": (r"100% \$\$", r"100\% \$\$"),
    "<script>alert(1)</script>": (
        r"\<script>alert(1)\</script>",
        r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{}",
    ),
    r"a\b_{c}~`d`": (
        r"a\b\_{c}\~\`d\`",
        r"a\textbackslash{}b\_\{c\}\textasciitilde{}\textasciigrave{}d\textasciigrave{}",
    ),
    "two\nlines": ("two lines", "two lines"),
    '"[a](b)", *c*': (r'"[a\](b)", \*c\*', '"{[}a](b)", {*}c{*}'),
    "café": ("café", "café"),
    "--lr": ("--lr", "-{}-lr"),
    "猫": ("猫", r"\litletter{猫}{U+732B}"),
    "caf\udce9": ("caf\udce9", r"caf\textbackslash{}xe9"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_literal_text_in_every_format(name, tmp_path):
    in_markdown, in_latex = NAMES[name]
    document = Document(name, [Heading(name), Paragraph(name), Table(name, [name, "n"], [[name, "1"]])])
    page = to_html(document)
    assert page.count(html.escape(name)) == 7  # the title twice
    assert "<script>" not in page
    markdown = to_markdown(document)
    assert f"| {in_markdown} | 1 |" in markdown
    assert markdown.startswith(f"# {in_markdown}\n")
    latex = to_latex(document)
    assert f"\n{in_latex} & 1 \\\\\n" in latex
    assert f"\\caption{{{in_latex}}}" in latex
    assert latex.startswith(r"\providecommand{\litletter}") == (r"\litletter" in in_latex)
    assert [name, "1"] in csv.reader(io.StringIO(to_csv(document), newline=""))
    for path in write(document, tmp_path, "report", ["html", "md", "tex", "csv"]):
        assert path.read_bytes().decode()  # UTF-8, whatever the name and the machine
