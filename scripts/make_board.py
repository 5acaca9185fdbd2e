"""Writes the figures of a run's event file side by side, as the documentation shows them.

python scripts/make_board.py RUN PICTURE TAG [TAG ...]
"""

import io
import sys
from pathlib import Path

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HEIGHT, GAP = 380, 12  # pixels


def main(run: str, picture: str, *tags: str) -> None:
    """Takes the last figure of each tag."""
    events = EventAccumulator(run, size_guidance={"images": 0}).Reload()
    figures = [Image.open(io.BytesIO(events.Images(tag)[-1].encoded_image_string)).convert("RGB") for tag in tags]
    for figure in figures:
        figure.thumbnail((figure.width, HEIGHT), Image.Resampling.LANCZOS)
    width = sum(figure.width + GAP for figure in figures) - GAP
    board, left = Image.new("RGB", (width, max(figure.height for figure in figures)), "white"), 0
    for figure in figures:
        board.paste(figure, (left, 0))
        left += figure.width + GAP
    board.quantize(256, method=Image.Quantize.FASTOCTREE).save(picture, optimize=True)  # keeps shades of one colour
    print(f"{picture}: {board.width} x {board.height}, {Path(picture).stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main(*sys.argv[1:])
