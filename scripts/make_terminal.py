"""Draws docs/terminal.svg: the first run of the README in a terminal of 80 columns, as a moving picture.

    pip install termtosvg-ng
    python scripts/make_terminal.py      # on Linux or macOS; takes as long as the run

The picture is text and CSS alone. It moves SPEED times as fast as the run did; the times in it are those of the run.
"""

import fcntl
import json
import os
import pty
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

COMMAND = "python -m lit_cnn fit --config configs/quickstart.yaml"
TARGET = Path(__file__).parents[1] / "docs" / "terminal.svg"
COLUMNS, ROWS = 80, 26
SPEED = 2.0
SHORTEST, LONGEST, LAST = "100", "1000", "6000"  # milliseconds of a frame, and of the last one


def record(command: str, folder: str) -> list[tuple[float, str]]:
    """Runs a command in a terminal, and returns what it prints, each with the seconds since its start."""
    environment = os.environ | {"PYTHONPATH": str(TARGET.parents[1]), "TERM": "xterm"}
    process, terminal = pty.fork()
    if not process:
        os.chdir(folder)
        program, *arguments = shlex.split(command)
        assert program == "python"
        os.execve(sys.executable, [program, *arguments], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start, printed, rest = time.perf_counter(), [(0.0, f"$ {command}\r\n")], b""
    while True:
        try:
            rest += os.read(terminal, 65536)
        except OSError:  # the command has ended
            break
        text = rest.decode(errors="ignore")
        rest = rest[len(text.encode()) :]  # a letter of which a part is missing
        printed.append((time.perf_counter() - start, text))
    if code := os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]):
        raise SystemExit(f"{command}: exit code {code}\n" + "".join(text for _, text in printed))
    return printed


def main() -> None:
    """Records the command, and writes the file."""
    with tempfile.TemporaryDirectory() as folder:
        printed = record(COMMAND, folder)
        cast = Path(folder) / "recorded.cast"  # the format of asciinema
        lines: list[object] = [{"version": 2, "width": COLUMNS, "height": ROWS}]
        lines += [[seconds / SPEED, "o", text] for seconds, text in printed]
        cast.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        options = ["-m", SHORTEST, "-M", LONGEST, "-D", LAST]
        render = [sys.executable, "-m", "termtosvg", "render", str(cast), str(TARGET), *options]
        subprocess.run(render, check=True)
    print(TARGET.name, f"{TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
