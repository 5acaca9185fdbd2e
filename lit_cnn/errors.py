"""Errors that a user can cause, with the exit codes of the command line."""

import errno
import re
from unicodedata import category

STOPPING = "stopping after this batch; press Ctrl-C again to stop at once"


class LitCNNError(Exception):
    """Base class of errors for users; the message says in at most three lines what is wrong and what to do."""

    exit_code = 1


class ConfigError(LitCNNError, ValueError):
    """A setting that is unknown, of the wrong type, or does not fit the others."""

    exit_code = 2


class DataError(LitCNNError):
    """A dataset that is missing or broken, or has unexpected content."""

    exit_code = 3


class CheckpointError(LitCNNError):
    """A checkpoint that is missing or broken, or does not fit the network."""

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
    return DiskError(
        f"{where}{error.strerror}. Change its permissions and those of the folders above, or use another place."
    )


def not_installed(what: str, package: str, extra: str) -> ConfigError:
    """Returns the error for a missing package that belongs to an optional dependency."""
    return ConfigError(
        f"{what} needs the package {package}, which is not installed.\n"
        f"Install it with pip install 'lit-cnn[{extra}]', or pip install -e '.[{extra}]' in a checkout."
    )


DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


def is_of_the_machine(error: BaseException) -> bool:
    """Whether a disk is full, writing is not permitted, or the reader of the output has closed it."""
    return isinstance(error, OSError) and error.errno in DISK_ERRORS | {errno.EPIPE}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, the CPU or a GPU had too little memory."""
    # torch's class by name, since importing torch takes seconds; on the CPU it is a plain RuntimeError
    named = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator: " in str(error)
    return named or isinstance(error, MemoryError)


def too_little_memory(error: BaseException, what: str, remedy: str) -> ConfigError:
    """Returns the error for something that needs more memory than there is; the remedy is what to use."""
    where, said = "The GPU's" if "CUDA" in str(error) else "The", " ".join(str(error).split())
    of_torch = re.search("DefaultCPUAllocator: (.*? bytes)", said)  # perhaps within a message of the parser
    said = of_torch[1] if of_torch else said[:150] or type(error).__name__
    return ConfigError(
        f"{where} memory is too small for {what}: {said}\nUse {remedy}. A smaller --data.image_size helps too."
    )


def nearest(name: str, known: list[str]) -> str:
    """Returns " Did you mean 'x'?" for the known name closest to `name`, or nothing if none is close."""
    found = closest(name, known)
    return f" Did you mean {found!r}?" if found else ""


def closest(name: str, known: list[str]) -> str | None:
    """Returns the known name closest to `name`, or the first that contains it; None if none is close.

    Example:
        >>> closest("resnet20", ["resnet50", "resnet18"]), closest("resnt18", ["resnet50", "resnet18"])
        ('resnet18', 'resnet18')
    """
    import difflib

    lowered = {k.lower(): k for k in known}
    if name in known:
        return None
    if alike := [k for k in known if _without_numbers(k) == _without_numbers(name)]:
        return min(alike, key=lambda k: [abs(a - b) for a, b in zip(_numbers(k), _numbers(name), strict=True)])
    matches = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    holding = [k for k in lowered if len(name) > 3 and name.lower() in k]
    best = matches or [k for k in holding if k.startswith(name.lower())] or holding
    return lowered[best[0]] if best else None


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name.lower())


def counted(number: int, noun: str, plural: str = "") -> str:
    """Returns a number of things; the plural is by default the noun with an s.

    Example:
        >>> counted(1, "picture"), counted(2000, "picture"), counted(3, "class is", "classes are")
        ('1 picture', '2,000 pictures', '3 classes are')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


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
