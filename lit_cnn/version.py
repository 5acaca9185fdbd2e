"""The version of lit_cnn."""

__version__ = "0.1.0"
