"""Cases as JSON lines, in and out.

importing  lines in; batches, each one transaction
lines      one line, read and checked
links      the links between lines, once all are in
marks      what became of lines and names, so that an import can be run twice
exporting  the same shape, with everything in it
"""
