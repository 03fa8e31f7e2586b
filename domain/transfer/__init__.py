"""Cases as JSON lines, in and out.

importing  reads lines and imports them in batches
batches    one batch: the lines of one transaction
lines      one line, parsed and checked; kinds guesses what a party is, formats what a file is
links      the links between lines, made after all lines are in
marks      records imported lines and names, so that an import can be repeated
exporting  writes complete cases in the same shape
"""
