"""Report of one run."""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lit_cnn.callbacks.results import is_unbalanced
from lit_cnn.callbacks.tensorboard.features import first_filters
from lit_cnn.errors import LitCNNError, counted
from lit_cnn.models.by_path import Recipe
from lit_cnn.plots import class_accuracy, confusion_matrix, filters, reliability_diagram
from lit_cnn.reports.cleaning import images_to_look_at
from lit_cnn.reports.document import Block, Code, Document, Heading, Paragraph, Picture, Table
from lit_cnn.reports.figures import training_curves
from lit_cnn.reports.groups import Group
from lit_cnn.reports.predictions import Predictions, macs_of, predict, predict_split
from lit_cnn.reports.statistics import percent_interval
from lit_cnn.runs.record import Run


def report_of_one(run: Run, data_dir: Path | None = None, all_images: bool = False) -> Document:
    """Returns the report of a run; if its test images are not in `data_dir`, only what the run's folder contains.

    With `all_images` it also looks for wrong labels and near-duplicates in the training and validation images.
    """
    model = run.config.get("model") or {}
    name, net = str(model.get("class_path", "")).rpartition(".")[2], (model.get("init_args") or {}).get("net")
    blocks: list[Block] = [Paragraph(f"{name}{f' of {Recipe(net)}' if net else ''} on {run.dataset}, seed {run.seed}.")]
    if run.fault:
        text = f"This run has no result: {run.fault}. To resume it: python -m lit_cnn fit --resume {run.folder}"
        blocks.append(Paragraph(text))
    blocks += [Heading("Result"), *_result(run.results)]
    predictions: Predictions | None = None
    try:
        predictions = predict(run, data_dir)
        blocks.append(Paragraph(_agreement(run.results, predictions)))
    except LitCNNError as error:
        missing = " ".join(str(error).split())
        blocks.append(
            Paragraph(f"Some parts need the test images and are missing: {missing} (--data_dir sets their folder.)")
        )
    if drawn := training_curves([Group(run.label, [run])]):
        blocks += [Heading("Training curves"), *drawn]
    if predictions is not None:
        blocks += [Heading("Classes"), *_classes(predictions), Heading("Mistakes"), *_mistakes(predictions)]
        parts, module, data = [predictions], predictions.module, predictions.data
        for split in ("val", "train") if all_images else ():
            if len(data.arrays(split)):
                parts.append(predict_split(module, data, split, f"{run.folder}: {split} images"))
        blocks += [Heading("Images to look at"), *images_to_look_at(parts)]
        if (weights := first_filters(predictions.module, predictions.data)) is not None:
            blocks += [Heading("Filters"), Picture("filters", "Weights of the first layer.", filters(weights))]
    blocks += [Heading("Cost"), _cost(run.results, predictions), Heading("How to repeat it"), *_to_repeat(run)]
    return Document(run.title, blocks)


def _result(v: dict[str, Any]) -> list[Block]:
    rows = []
    unbalanced = {"acc_macro": "macro accuracy", "f1": "macro F1"} if is_unbalanced(v) and "test/f1" in v else {}
    for split, name in (("train", "training"), ("val", "validation"), ("test", "test")):
        if f"{split}/acc" not in v:
            continue
        n, accuracy, nll = v.get(f"{split}_images"), v[f"{split}/acc"], v[f"{split}/nll"]
        interval = "-"
        if n and split != "train":
            interval = percent_interval(v.get(f"{split}/correct", round(accuracy * n)), n)
        macro = [f"{v[key]:.2%}" if (key := f"{split}/{figure}") in v else "-" for figure in unbalanced]
        rows.append([name, f"{n:,}" if n else "-", f"{accuracy:.2%}", interval, *macro, f"{nll:.4f}"])
    if not rows:
        return []
    best = f", the best by {v['monitor']}" if "monitor" in v else ""
    chosen = " The epoch was chosen by the validation accuracy, which is therefore slightly too high." if best else ""
    caption = (
        f"Epoch {v.get('epoch')} of {v.get('epochs')}{best}. Intervals (95 %, Wilson) show the uncertainty due "
        "to the number of images; they do not include the effect of the seed. Training figures are means over the "
        f"epoch, on augmented images.{chosen}"
    )
    return [Table(caption, ["part", "images", "accuracy", "95 % interval", *unbalanced.values(), "NLL, nats"], rows)]


def _agreement(v: dict[str, Any], predictions: Predictions) -> str:
    right, n = int(predictions.right.sum()), len(predictions.labels)
    nll = predictions.nll.tolist()
    half = 1.96 * stdev(nll) / n**0.5 if n > 1 else 0.0
    text = (
        f"The best checkpoint has {right:,} of {n:,} test images correct, and an NLL of {mean(nll):.4f} "
        f"(95 % interval {mean(nll) - half:.4f} to {mean(nll) + half:.4f})"
    )
    if "test/acc" not in v:
        return f"{text}."
    if abs(right / n - v["test/acc"]) < 0.5 / n:
        return f"{text}, the same as the run recorded."
    return f"{text}, but the run recorded {v['test/acc']:.2%}: the data, the checkpoint or the settings have changed."


def _classes(p: Predictions) -> list[Block]:
    counts, names, about = p.counts, p.data.class_names, f"{p.data.dataset_name}, test images"
    rows = []
    for c, name in enumerate(names):
        n, right, taken = int(counts[c].sum()), int(counts[c, c]), int(counts[:, c].sum())
        wrong = counts[c].clone()
        wrong[c] = 0
        most = f"{names[int(wrong.argmax())]} ({int(wrong.max())})" if wrong.any() else "-"
        precision = f"{right / taken:.2%}" if taken else "-"
        f1 = f"{2 * right / (n + taken):.2%}" if n + taken else "-"
        if n:
            rows.append([name, f"{n:,}", f"{right / n:.2%}", percent_interval(right, n), precision, f1, most])
    head = ["class", "images", "correct (recall)", "95 % interval", "precision", "F1", "most often predicted as"]
    return [
        Table("The test images of each class.", head, rows),
        Picture("confusion", "Confusion matrix: true classes in rows.", confusion_matrix(counts, names, about)),
        Picture("classes", "Accuracy of each class.", class_accuracy(counts, names, f"{about}: accuracy by class")),
    ]


def _mistakes(p: Predictions) -> list[Block]:
    about = f"{p.data.dataset_name}, test images"
    wrong = (~p.right).nonzero().flatten()
    reliability = reliability_diagram(p.confidences, p.right, about)
    last = Picture("reliability", "Reliability diagram: accuracy by confidence.", reliability)
    if not len(wrong):
        return [Paragraph("There are none."), last]
    figure = p.most_confident(wrong, f"{about}: the most confident of {counted(len(wrong), 'mistake')}")
    names, rows = p.data.class_names, []
    for i in p.by_confidence(wrong).tolist():
        rows.append([p.places[i], names[p.labels[i]], names[p.preds[i]], f"{p.confidences[i]:.2%}"])
    table = Table("The same mistakes as a table.", ["image", "true class", "prediction", "probability"], rows)
    return [Picture("mistakes", "The most confident mistakes.", figure), table, last]


def _cost(v: dict[str, Any], predictions: Predictions | None) -> Table:
    rows = [["parameters", f"{v['parameters']:,}"]] if "parameters" in v else []
    if predictions is not None:
        macs = macs_of(predictions.module)
        rows.append(["MACs per image", "-" if macs is None else f"{macs:,}"])
    if v.get("fit_seconds"):
        rows += [["seconds of training", f"{v['fit_seconds']:.1f}"], ["optimizer steps", f"{v['steps']:,}"]]
        if v.get("train_images"):
            speed = v["train_images"] * v["epochs"] / v["fit_seconds"]
            rows.append(["training images per second, including validation", f"{speed:,.0f}"])
    if "device" in v:
        rows.append(["device", f"{v['devices']} x {v['device']}"])
    return Table("Cost of the run.", ["", ""], rows)


def _to_repeat(run: Run) -> list[Block]:
    config, start = run.folder / "config.yaml", "versions/"
    versions = [[key.removeprefix(start), str(value)] for key, value in run.results.items() if key.startswith(start)]
    blocks: list[Block] = [Code(f"python -m lit_cnn fit --config {config}")]
    if versions:
        blocks.append(Table("Versions.", ["", "version"], versions))
    if config.is_file():
        blocks.append(Code(config.read_text("utf-8"), "config.yaml"))
    return blocks
