"""Verbs beside those of the Trainer: each has `main(argv)`."""
