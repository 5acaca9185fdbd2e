"""The command line: parsing, checks, error messages, and running a verb."""
