"""Table cells that compare two figures: "equal", or both."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Cell:
    """What was found beside what it should be."""

    ours: object
    theirs: object
    shows_figure: bool = True

    @property
    def equal(self) -> bool:
        """Whether both are the same."""
        return self.ours == self.theirs

    def __str__(self) -> str:
        """Returns the figure and "equal", or both figures."""
        if self.equal:
            return f"{_text(self.ours)} equal" if self.shows_figure else "equal"
        return f"{_text(self.ours)} / {_text(self.theirs)}"


def of_tensors(ours: Tensor, theirs: Tensor) -> Cell:
    """Compares two tensors by the values that lie furthest apart; a value that is no number equals nothing."""
    if ours.shape != theirs.shape:
        return Cell(tuple(ours.shape), tuple(theirs.shape), shows_figure=False)
    ours, theirs = ours.detach(), theirs.detach()
    place = int((ours - theirs).abs().argmax())
    return Cell(float(ours.flatten()[place]), float(theirs.flatten()[place]), shows_figure=False)


def _text(figure: object) -> str:
    return f"{figure:,}" if isinstance(figure, int) else str(figure)
