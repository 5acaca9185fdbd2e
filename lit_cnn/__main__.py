"""Entry point of `python -m lit_cnn`."""

from lit_cnn.cli.main import run

if __name__ == "__main__":
    run()
