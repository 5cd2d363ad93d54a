"""One module for each format of file, and what they share: kinds of files, encodings, damaged
input.
"""
