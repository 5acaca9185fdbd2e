"""Verbs of the command line that are not the Trainer's; each module has `main(argv)`, which raises LitCNNError."""
