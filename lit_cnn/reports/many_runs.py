"""Report of many runs: variants over seeds, with differences, training curves and cost."""

from collections.abc import Callable
from itertools import combinations
from statistics import mean, stdev

from lit_cnn.callbacks.results import is_unbalanced
from lit_cnn.errors import ConfigError, LitCNNError, counted, nearest
from lit_cnn.inference.load import load
from lit_cnn.plots.comparisons import cost_chart, interval_chart
from lit_cnn.plots.curves import ENOUGH  # with two seeds an interval would be +- 13 standard errors
from lit_cnn.reports.cross_validation import FOLD, cross_validation
from lit_cnn.reports.document import Block, Code, Document, Heading, Paragraph, Picture, Table
from lit_cnn.reports.figures import along_axes, training_curves
from lit_cnn.reports.groups import Group, differences, group_runs
from lit_cnn.reports.predictions import macs_of
from lit_cnn.reports.statistics import PairedTest, holm, mean_interval, paired_test, pareto_front
from lit_cnn.runs.record import Run

ACC, NLL, EACH = "test/acc", "test/nll", "each_epoch/test_acc"
MACRO = {"test/acc_macro": "macro accuracy", "test/f1": "macro F1"}
CURVES = 12  # maximum number of variants in one panel
CHARTED = 60  # maximum number of rows of the interval chart
PERCENT = (0.0, 100.0)
NO_SPREAD = "no spread"


def report_of_many(title: str, runs: list[Run], baseline: str | None = None) -> Document:
    """Returns the report of some runs, with a section for each dataset.

    All variants are compared with the baseline; without one, all pairs that differ in one axis.
    """
    groups = group_runs(runs)
    labels = [group.label for group in groups]
    if baseline is not None and baseline not in labels:
        raise ConfigError(
            f"--baseline {baseline}: no such variant.{nearest(baseline, labels)} The variants are {', '.join(labels)}."
        )
    datasets = list(dict.fromkeys(group.any_run.dataset for group in groups))
    finished = sum(len(group.runs) for group in groups)
    about = f"{counted(finished, 'finished run')} of {counted(len(groups), 'variant')} on {' and '.join(datasets)}."
    blocks: list[Block] = [Paragraph(about), *_left_out(groups)]
    for dataset in datasets:
        tag = ""
        if len(datasets) > 1:
            tag = f"_{dataset}".replace("/", "-").replace(" ", "-")
            blocks.append(Heading(dataset))
        blocks += _section([group for group in groups if group.any_run.dataset == dataset], baseline, tag)
    return Document(title, [*blocks, Heading("How to repeat it"), *_to_repeat(groups)])


def _section(all_groups: list[Group], baseline: str | None, tag: str) -> list[Block]:
    groups = [group for group in all_groups if group.runs]
    if not groups:
        return [Paragraph("No run is finished yet.")]
    blocks: list[Block] = [Heading("Accuracy"), *_results(all_groups), *_permutations(groups)]
    if values := {group.label: _percent(group) for group in groups[:CHARTED] if group.values(ACC)}:
        intervals = {name: mean_interval(v, within=PERCENT) for name, v in values.items() if len(v) >= ENOUGH}
        bars = " with 95 % intervals of the mean" if any(intervals.values()) else ""
        chart = interval_chart(values, intervals, "test accuracy, %", f"test accuracy of each run{bars}")
        caption = "Test accuracy: a dot for each run."
        if bars:
            caption += (
                f" Bars are the 95 % intervals of the mean over {ENOUGH} or more seeds. A bar without an end "
                "continues outside the figure."
            )
        blocks.append(Picture(f"accuracy{tag}", caption, chart))
    blocks += [*along_axes(groups, tag), *cross_validation(groups)]
    blocks += [Heading("Differences"), *_tests(groups, baseline, ACC, "accuracy")]
    for figure, name in _macro_of(groups).items():
        blocks += _tests(groups, baseline, figure, name)
    blocks += _what_differs(groups)
    if drawn := training_curves(groups[:CURVES], tag):
        blocks.append(Heading("Training curves"))
        if len(groups) > CURVES:
            blocks.append(Paragraph(f"The first {CURVES} of {len(groups)} variants."))
    return [*blocks, *drawn, *_costs(groups, tag), *_selection(groups)]


def _percent(group: Group, figure: str = ACC) -> list[float]:
    return [100 * value for value in group.values(figure).values()]


def _macro_of(groups: list[Group]) -> dict[str, str]:
    """Returns the macro figures and their names, if the classes of some runs are not balanced."""
    unbalanced = any(is_unbalanced(run.results) for group in groups for run in group.runs)
    return MACRO if unbalanced and any(group.values("test/f1") for group in groups) else {}


def _permutations(groups: list[Group]) -> list[Block]:
    """Says whether the spread over seeds includes the random pixel permutation."""
    permuted = [group for group in groups if group.settings.get("data.permute")]
    fixed = [group.label for group in permuted if group.settings.get("data.permute_seed", 0) != "seed"]
    drawn = [group.label for group in permuted if group.label not in fixed]
    who = ["" if len(labels) == len(groups) else f" of {', '.join(labels)}" for labels in (drawn, fixed)]
    texts = (
        f"Each seed{who[0]} has its own permutation of the pixels, so standard deviations include its effect.",
        f"All seeds{who[1]} have the same permutation of the pixels, so standard deviations, intervals and tests do "
        "not include its effect. With --data.permute_seed seed, each seed has its own.",
    )
    return [Paragraph(text) for text, names in zip(texts, (drawn, fixed), strict=True) if names]


def _results(groups: list[Group]) -> list[Block]:
    rows = []
    macro = _macro_of(groups)
    for group in groups:
        accuracies = _percent(group)
        interval = mean_interval(accuracies, within=PERCENT) if len(accuracies) >= ENOUGH else None
        expected = len(group.runs) + len(group.unfinished)
        rows.append([
            group.label,
            f"{mean(accuracies):.2f}" if accuracies else "-",
            f"{stdev(accuracies):.2f}" if len(accuracies) > 1 else "-",
            f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else NO_SPREAD if len(accuracies) >= ENOUGH else "-",
            f"{len(accuracies)}" if len(accuracies) == expected else f"{len(accuracies)} of {expected}",
            *(_spread(_percent(group, figure), 2) for figure in macro),
            _spread([*group.values(NLL).values()], 4),
            _spread([*group.values("fit_seconds").values()], 1),
        ])  # fmt: skip
    named = [f"{name}, %" for name in macro.values()]
    head = ["variant", "test accuracy, %", "sd", "95 % interval", "seeds", *named, "test NLL, nats", "training, s"]
    caption = (
        f"Mean and standard deviation over the seeds, and for {ENOUGH} or more seeds the 95 % interval of the mean "
        "(Student's t, limited to 0 to 100 %)."
    )
    if macro:
        caption += " Macro figures are means over the classes."
    return _table(caption, head, rows)


def _spread(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    return f"{mean(values):.{digits}f}" + (f" ± {stdev(values):.{digits}f}" if len(values) > 1 else "")


def _table(caption: str, head: list[str], rows: list[list[str]]) -> list[Block]:
    if any(NO_SPREAD in row for row in rows):
        caption += f" {NO_SPREAD.capitalize()}: all seeds have the same result, so an interval cannot be computed."
    return [Table(caption, head, rows)] if rows else []


def _left_out(groups: list[Group]) -> list[Block]:
    rows = [[str(run.folder), run.fault] for group in groups for run in group.unfinished]
    repeated = [run for group in groups for run in group.repeated]
    rows += [[str(run.folder), f"seed {run.seed} again; the newest counts"] for run in repeated]
    verb = "is" if len(rows) == 1 else "are"
    return _table(f"{counted(len(rows), 'run')} {verb} missing or not used.", ["run", "why"], rows)


def _pairs(groups: list[Group], baseline: str | None) -> list[tuple[Group, Group]]:
    for base in groups:
        if base.label == baseline:
            return [(base, group) for group in groups if group is not base]
    pairs = list(combinations(groups, 2))
    if all(group.labels for group in groups):
        pairs = [(a, b) for a, b in pairs if sum(a.labels[axis] != b.labels.get(axis) for axis in a.labels) == 1]
    return [(a, b) for a, b in pairs if a.settings.get(FOLD) == b.settings.get(FOLD)]


def _tests(groups: list[Group], baseline: str | None, figure: str, name: str) -> list[Block]:
    tests = {
        f"{first.label} → {second.label}": test
        for first, second in _pairs(groups, baseline)
        if (test := paired_test(first.values(figure), second.values(figure), within=(-1, 1)))
    }
    if not tests:
        return [Paragraph("A paired test needs two variants with at least two seeds in common.")]
    corrected = holm([test.p for test in tests.values()])
    rows = [
        [pair, f"{100 * test.difference:+z.2f}", in_points(test), f"{test.n}", p_value(test.p), p_value(p)]
        for (pair, test), p in zip(tests.items(), corrected, strict=True)
    ]
    caption = (
        f"Test {name} of the second variant minus that of the first, in points, with a paired t-test over the common "
        f"seeds. The last column is corrected for {counted(len(rows), 'comparison')} (Holm 1979). A large p-value does "
        "not show that two variants are equal: the interval shows how different they may be."
    )
    head = ["first → second", "difference", "95 % interval", "seeds", "p", "p, corrected"]
    return _table(caption, head, rows)


def in_points(test: PairedTest | None) -> str:
    """Formats the interval of a paired test in percentage points."""
    if test is None or test.n < ENOUGH:
        return "-"
    return f"{100 * test.interval[0]:+z.2f} to {100 * test.interval[1]:+z.2f}" if test.interval else NO_SPREAD


def p_value(p: float | None) -> str:
    """Formats a p-value."""
    if p is None:
        return "-"
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def _what_differs(groups: list[Group]) -> list[Block]:
    found = differences(groups)
    rows = [[group.label, *(values[i] for values in found.values())] for i, group in enumerate(groups) if found]
    return _table("All settings that differ between the configs.", ["variant", *found], rows)


def _costs(groups: list[Group], tag: str) -> list[Block]:
    tested = {group.label: group for group in groups if group.values(ACC)}
    values = {label: mean(_percent(group)) for label, group in tested.items()}
    spreads = {label: stdev(v) for label, group in tested.items() if len(v := _percent(group)) >= ENOUGH}
    costs: dict[str, dict[str, float]] = {}
    fronts = {}
    for kind, cost_of in COSTS.items():
        of = {label: cost for label, group in tested.items() if (cost := cost_of(group)) is not None}
        if len(of) > 1:
            costs[kind] = of
            fronts[kind] = pareto_front({label: (cost, values[label]) for label, cost in of.items()})
    if not costs:
        return []
    chart = cost_chart(costs, values, spreads, fronts, "test accuracy, %", "test accuracy against cost")
    head = ["variant", "test accuracy, %", *costs]
    rows = [[label, f"{value:.2f}"] for label, value in values.items()]
    for row in rows:
        for kind, of in costs.items():
            star = "*" * (row[0] in fronts[kind])
            row.append(f"{of[row[0]]:,.1f}".removesuffix(".0") + star if row[0] in of else "-")
    caption = "Costs; * marks the Pareto front: no other variant is both cheaper and better."
    bars = "; bars are one standard deviation" * bool(spreads)
    picture = Picture(f"costs{tag}", f"Test accuracy against cost{bars}.", chart)
    return [Heading("Cost"), Table(caption, head, rows), picture]


def _macs(group: Group) -> int | None:
    try:
        return macs_of(load(group.any_run.folder))
    except LitCNNError:
        return None


COSTS: dict[str, Callable[[Group], float | None]] = {
    "parameters": lambda group: group.mean("parameters"),
    "MACs per image": _macs,
    "seconds of training": lambda group: group.mean("fit_seconds"),
}


def _selection(groups: list[Group]) -> list[Block]:
    rows = []
    for group in groups:
        tested = {
            run.seed: [row[EACH] for row in run.epochs() if EACH in row] for run in group.runs if ACC in run.results
        }
        claimed = {seed: max(values) for seed, values in tested.items() if values}
        honest = {seed: value for seed, value in group.values(ACC).items() if seed in claimed}
        if claimed:
            gain = 100 * (mean(claimed.values()) - mean(honest.values()))
            spreads = [_spread([100 * v for v in values.values()], 2) for values in (honest, claimed)]
            interval = in_points(paired_test(honest, claimed, within=(-1, 1)))
            rows.append([group.label, *spreads, f"{gain:+z.2f}", interval])
    caption = (
        "The test accuracy if the epoch were chosen by the test images, compared with the epoch that the validation "
        "images chose. The difference is not a real improvement: it only comes from choosing by the test images."
    )
    head = ["variant", "honest, %", "best epoch by test, %", "too high by", "95 % interval"]
    return [Heading("Selection"), *_table(caption, head, rows)] if rows else []


def _to_repeat(groups: list[Group]) -> list[Block]:
    results = [run.results for group in groups for run in group.runs]
    versions = sorted({
        f"torch {r.get('versions/torch')}, lightning {r.get('versions/lightning')}, "
        f"lit_cnn {r.get('versions/lit-cnn')}, on {r.get('device')}"
        for r in results
    })  # fmt: skip
    commands = [f"python -m lit_cnn fit --config {group.any_run.folder / 'config.yaml'}" for group in groups]
    how = f"Each config.yaml repeats its run; --seed_everything sets another seed. Versions: {'; '.join(versions)}."
    return [Paragraph(how), Code("\n".join(commands), "one run of each variant")]
