"""The command casegraph, a module for each group; what they share is in terminal."""
