"""Networks that take long; every family has a smaller one, of the same blocks."""

import pytest

LARGE = {
    *("vgg11", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "zfnet"),
    *("resnet34", "resnet101", "resnet152", "resnext101_32x8d", "wide_resnet50_2", "wide_resnet101_2"),
    *("resnet44", "resnet56", "resnet110", "resnext29_8x64d", "wide_resnet28_10"),
}


def marked(names, slow=LARGE):
    """Returns the names as parameters of a test, the large or given ones marked `slow`."""
    return [pytest.param(n, marks=pytest.mark.slow) if n in slow else n for n in names]
