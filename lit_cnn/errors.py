"""What a person can cause, each with the exit code that the command line ends with."""

from unicodedata import category


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


def forbidden(error: OSError) -> DiskError:
    """Returns what a person reads of a file or folder that may not be read or written."""
    where = f"{printable(error.filename)}: " if error.filename else ""
    return DiskError(f"{where}{error.strerror}. Give yourself the right to it and what is above, or take another.")


def not_installed(what: str, package: str, extra: str) -> ConfigError:
    """Returns what a person reads where a package is missing that one of the optional dependencies brings."""
    return ConfigError(
        f"{what} needs the package {package}, which is not installed.\n"
        f"Install it with pip install 'lit-cnn[{extra}]', or pip install -e '.[{extra}]' in a checkout."
    )


def nearest(name: str, known: list[str]) -> str:
    """Returns " Did you mean 'x'?" for the known name closest to `name`, or nothing where none is close."""
    found = closest(name, known)
    return f" Did you mean {found!r}?" if found else ""


def closest(name: str, known: list[str]) -> str | None:
    """Returns the known name closest to `name`, or the only one that holds all of it; None where none is close."""
    import difflib

    lowered = {k.lower(): k for k in known}
    if name in known:
        return None
    matches = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    holding = [k for k in lowered if len(name) > 3 and name.lower() in k]
    best = matches or [k for k in holding if k.startswith(name.lower())] or holding
    return lowered[best[0]] if best else None


def printable(path: object) -> str:
    """Returns a path or name as one line of text, with newlines, bytes that are no text and the like written out.

    Example:
        >>> import os
        >>> printable(os.fsdecode(b"caf\\xe9\\n")), printable("caf\u00e9")
        ('caf\\\\xe9\\\\n', 'caf\u00e9')
    """
    return "".join(_written_out(c) if category(c) in NO_TEXT or c in TURNING else c for c in str(path))


NO_TEXT = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}  # control characters, bytes that are no text, lines and paragraphs
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # what follows them changes its direction


def _written_out(character: str) -> str:
    byte = ord(character) - 0xDC00  # how Python keeps a byte that is no text
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else ascii(character)[1:-1]
