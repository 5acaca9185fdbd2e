"""Opens a local web page: draw a digit or drop a photo, and see what trained networks predict and why."""

import argparse
import os
import sys
import webbrowser
from contextlib import suppress

from lit_cnn.commands.arguments import RUN, Parser, refuse_missing

EPILOG = """While you draw, the page shows the probabilities of each network, its input, and Grad-CAM. Sliders shift and
rotate the picture and add noise. Networks for greyscale images get drawings, networks for colour images get photos.

Without RUN the page shows the weights in the package, and the dial: an MLP and a CNN side by side, on digits whose
blocks of k x k pixels are shuffled.

The page works offline, and only this machine can open it. Ctrl-C ends it. To see it from another machine:
  ssh -L 7860:127.0.0.1:7860 MACHINE

examples:
  python -m lit_cnn demo
  python -m lit_cnn demo logs/quickstart/version_0 --port 8000 --no_browser
"""


def main(argv: list[str]) -> None:
    """Serves the page until Ctrl-C."""
    parser = Parser("demo", __doc__, EPILOG)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{RUN} (default: the weights in the package)")
    parser.add_argument("--port", type=_port, help="port of the page (default 7860, or a free one; 0: a free one)")
    parser.add_argument("--no_browser", action="store_true", help="print the address, but open no browser")
    given = parser.parse_args(argv)
    refuse_missing(*given.runs)

    from lit_cnn.demo.server import Server
    from lit_cnn.demo.session import Session

    with Server(Session(given.runs), given.port) as server:
        print(f"The page is at {server.address} - press Ctrl-C to end it.", flush=True)
        if not given.no_browser and _has_screen():
            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, from 0 to 65535")
    return int(text)


def _has_screen() -> bool:
    """Whether there is a screen; without one, Linux would open a text browser in this terminal."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
