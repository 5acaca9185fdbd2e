"""The command line: from typed words to a run."""
