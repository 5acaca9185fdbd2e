"""Errors that a user can cause, with the exit codes of the command line."""

from unicodedata import category


class LitCNNError(Exception):
    """Base class of errors for users; the message says in at most three lines what is wrong and what to do."""

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
    """A training that has diverged: its loss or weights are not finite."""

    exit_code = 5


class DiskError(LitCNNError):
    """A full disk, or a folder without write permission."""

    exit_code = 6


def forbidden(error: OSError) -> DiskError:
    """Returns the error for a file or folder without read or write permission."""
    where = f"{printable(error.filename)}: " if error.filename else ""
    return DiskError(f"{where}{error.strerror}. Give yourself the right to it and what is above, or take another.")


def not_installed(what: str, package: str, extra: str) -> ConfigError:
    """Returns what a person reads where a package is missing that one of the optional dependencies brings."""
    return ConfigError(
        f"{what} needs the package {package}, which is not installed.\n"
        f"Install it with pip install 'lit-cnn[{extra}]', or pip install -e '.[{extra}]' in a checkout."
    )


def nearest(name: str, known: list[str]) -> str:
    """Returns " Did you mean 'x'?" for the known name closest to `name`, or nothing if none is close."""
    found = closest(name, known)
    return f" Did you mean {found!r}?" if found else ""


def closest(name: str, known: list[str]) -> str | None:
    """Returns the known name closest to `name`, or the first that contains it; None if none is close."""
    import difflib

    lowered = {k.lower(): k for k in known}
    if name in known:
        return None
    matches = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    holding = [k for k in lowered if len(name) > 3 and name.lower() in k]
    best = matches or [k for k in holding if k.startswith(name.lower())] or holding
    return lowered[best[0]] if best else None


def counted(number: int, noun: str) -> str:
    """Returns a number of things.

    Example:
        >>> counted(1, "picture"), counted(2000, "picture")
        ('1 picture', '2,000 pictures')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def printable(path: object) -> str:
    """Returns a path or name as one line of text, with newlines, invalid bytes and the like escaped.

    Example:
        >>> import os
        >>> printable(os.fsdecode(b"caf\\xe9\\n")), printable("caf\u00e9")
        ('caf\\\\xe9\\\\n', 'caf\u00e9')
    """
    return "".join(_written_out(c) if category(c) in NO_TEXT or c in TURNING else c for c in str(path))


NO_TEXT = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}  # control characters, invalid bytes, separators of lines and paragraphs
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # they change the direction of text


def _written_out(character: str) -> str:
    byte = ord(character) - 0xDC00  # Python's form of an invalid byte
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else ascii(character)[1:-1]
