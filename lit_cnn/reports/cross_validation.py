"""Cross-validation: runs that differ in `data.fold` are combined, so every image is tested once."""

import json
from collections import defaultdict
from statistics import mean, stdev

from lit_cnn.data.splits import fold_of
from lit_cnn.reports.document import Block, Heading, Paragraph, Table
from lit_cnn.reports.groups import Group
from lit_cnn.reports.statistics import percent_interval

FOLD = "data.fold"


def cross_validation(groups: list[Group]) -> list[Block]:
    """Returns the table of cross-validated accuracies, one row for each variant; nothing if no run has folds."""
    folds: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        if group.settings.get(FOLD):
            rest = {key: value for key, value in group.settings.items() if key != FOLD}
            folds[json.dumps([rest, _others(group)], sort_keys=True, default=str)].append(group)
    rows, missing = [], []
    for alike in folds.values():
        by_fold = {fold_of(group.settings[FOLD]): group for group in alike}
        count = max(k for _, k in by_fold)
        name = " ".join(_others(alike[0]).values()) or alike[0].any_run.folder.parent.parent.name
        if absent := [number for number in range(1, count + 1) if (number, count) not in by_fold]:
            missing.append(f"{name} has no folds {', '.join(map(str, absent))} of {count}")
            continue
        in_order = [by_fold[number, count] for number in range(1, count + 1)]
        seeds = set.intersection(*({*group.values("test/correct")} for group in in_order))
        if not seeds:
            missing.append(f"{name} has no seed with all {count} folds")
            continue
        right = {seed: sum(int(group.values("test/correct")[seed]) for group in in_order) for seed in seeds}
        images = sum(int(next(iter(group.values("test_images").values()))) for group in in_order)
        of_folds = [100 * mean(group.values("test/acc")[seed] for seed in seeds) for group in in_order]
        share = mean(right.values()) / images
        of_seeds = [100 * r / images for r in right.values()]
        rows.append([
            name, f"{count}", f"{len(seeds)}", f"{images:,}", f"{share:.2%}",
            percent_interval(round(share * images), images), f"{stdev(of_folds):.2f}",
            f"{stdev(of_seeds):.2f}" if len(of_seeds) > 1 else "-",
        ])  # fmt: skip
    if not rows and not missing:
        return []
    caption = (
        "Each image is tested once, by a network that was not trained on it. The interval (95 %, Wilson) is about the "
        "number of images. The standard deviations (sd) over folds and seeds are in points."
    )
    head = ["variant", "folds", "seeds", "images", "accuracy", "95 % interval", "sd of folds", "sd of seeds"]
    said: list[Block] = [Paragraph(f"Not cross-validated yet: {'; '.join(missing)}.")] if missing else []
    return [Heading("Cross-validation"), *([Table(caption, head, rows)] if rows else []), *said]


def _others(group: Group) -> dict[str, str]:
    return {axis: label for axis, label in group.labels.items() if axis != FOLD}
