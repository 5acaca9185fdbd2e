"""Checks before a run: cost, first loss, gradients, and overfitting one batch."""
