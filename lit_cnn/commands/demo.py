"""Shows trained networks on a local web page: draw a digit or drop a photo, and see what they see."""

import argparse
import os
import sys
import webbrowser
from contextlib import suppress

from lit_cnn.commands.arguments import RUN, Parser

EPILOG = """The page shows each network's probabilities while you draw, its input as a picture, and Grad-CAM. Sliders
shift and rotate the picture and add noise. Greyscale networks look at drawings, colour networks at photos.

Without RUN it shows the weights that come with the package, and the dial: an MLP and a CNN side by side, on digits of
which blocks of k x k pixels have changed places.

The page is on this machine only, and needs no network. Ctrl-C ends it. To see it from another machine:
  ssh -L 7860:127.0.0.1:7860 MACHINE

examples:
  python -m lit_cnn demo
  python -m lit_cnn demo logs/quickstart/version_0 logs/vgg_cifar --port 8000 --no_browser
"""


def main(argv: list[str]) -> None:
    """Serves the page until Ctrl-C."""
    parser = Parser("demo", __doc__, EPILOG)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{RUN}; none means those that come with it")
    parser.add_argument("--port", type=_port, help="port of the page (default 7860, or any that is free; 0 means any)")
    parser.add_argument("--no_browser", action="store_true", help="print the address, and open no browser")
    given = parser.parse_args(argv)

    from lit_cnn.demo.server import Server
    from lit_cnn.demo.session import Session

    with Server(Session(given.runs), given.port) as server:
        print(f"The page is at {server.address} - Ctrl-C ends it.", flush=True)
        if not given.no_browser and _has_screen():
            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, from 0 to 65535")
    return int(text)


def _has_screen() -> bool:
    """Whether a browser can show itself: without a screen Linux would open one of text in this terminal."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
