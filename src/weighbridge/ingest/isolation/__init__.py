"""Files of strangers are read in a process of their own.

Compiled code reads most formats, and a bad file can make it abort, take all memory or never return.
So a child process (`child.py`) opens the file, reads and checks it under limits on memory and time
(`limits.py`), and sends heads and checked chunks through a pipe (`messages.py`). If it dies, the
parent (`process.py`) says so as an UnreadableFile that names the file and the last row seen, and
lives on. `reading.py` is the way in; a child that has finished well serves the next file.

The child shares the parent's user and files: it contains crashes, it is no sandbox.
"""
