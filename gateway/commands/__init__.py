"""The command line, casegraph: one file for each group of commands."""
