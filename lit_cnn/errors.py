"""What a person can cause, each with the exit code that the command line ends with."""


class LitCNNError(Exception):
    """A fault that its message explains in at most three lines: what is wrong, and what to do."""

    exit_code = 1


class ConfigError(LitCNNError, ValueError):
    """A setting that is unknown, of the wrong type, or does not fit the others."""

    exit_code = 2


class DataError(LitCNNError):
    """A dataset that is missing, broken, or not what it claims to be."""

    exit_code = 3


class CheckpointError(LitCNNError):
    """A checkpoint that is missing, broken, or of another network."""

    exit_code = 4


class DivergedError(LitCNNError):
    """A training whose loss or weights are not finite any more."""

    exit_code = 5


class DiskError(LitCNNError):
    """A disk that is full, or a folder that may not be written to."""

    exit_code = 6


def nearest(name: str, known: list[str]) -> str:
    """Returns " Did you mean 'x'?" for the known name closest to `name`, or nothing where none is close."""
    import difflib

    lowered = {k.lower(): k for k in known}
    if name in known:
        return ""
    matches = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f" Did you mean {lowered[matches[0]]!r}?" if matches else ""


def printable(path: object) -> str:
    """Returns a path as one line that can be printed, with newlines and bytes that are no text written out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
