"""Verbs of the command line beside the Trainer's; each module has `main(argv)`, which raises LitCNNError."""
