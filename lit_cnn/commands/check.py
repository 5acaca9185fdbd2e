"""Checks a run before it is trained: its layers, whether its network can learn, memory and time."""

from lit_cnn.cli.main import import_once
from lit_cnn.commands.arguments import Parser

EPILOG = """check takes the arguments of fit (python -m lit_cnn fit --help) and writes no files. It prints

  layer table  output size, parameters, MACs and receptive field of each layer:
               its size and stride in pixels, and its share of the image
  findings     from the first training steps. Is the first loss near that of
               equal logits, ln(classes) for cross-entropy? Does every trained
               parameter get a gradient? Can the network overfit 16 images?
  estimates    memory; time on one device, without the test at the end
  speed        with --tune_speed true: the speed of each setting that may be
               faster on this machine, and which are the fastest
  verdict      "sound" and exit code 0; or what is wrong, what to change, and
               exit code 2

With --lr_find it prints the loss at rising learning rates instead, suggests a learning rate, and draws the curve to
lr_find.png. It changes no config: set --model.lr yourself.

examples:
  python -m lit_cnn check --config quickstart
  python -m lit_cnn check --config quickstart --lr_find
  python -m lit_cnn check --config resnet18_cifar --data.data_dir data
  python -m lit_cnn check --model my_package.LitMine --data CIFAR10DataModule
"""


def main(argv: list[str]) -> None:
    """Checks a run, given by arguments of `fit`."""
    parser = Parser("check", __doc__, EPILOG)
    parser.add_argument("--lr_find", action="store_true", help="find a learning rate: print and draw loss by rate")
    given, settings = parser.parse_before_settings(argv)
    import_once("lit_cnn.cli.before_fit").check_run(settings, given.lr_find)
