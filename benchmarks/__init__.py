"""What casegraph costs, against floors that do the same work by hand and a stock Strawberry server.

Run by one command, python -m benchmarks; README.md says what is measured and how.
"""
