"""The casegraph command: one module per group of commands; terminal holds what they share."""
