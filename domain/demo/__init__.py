"""Made-up cases of a made-up firm.

firm   who meets whom, and when
words  what they are called and what it is about
"""
