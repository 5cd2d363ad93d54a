"""Reads files of strangers in a process of their own.

Compiled code reads most formats, and a bad file can make it abort, take all memory or never return.
So a child process (`child.py`) opens the file, reads and checks it under limits on memory and time
(`limits.py`), and sends heads and checked chunks through a pipe (`messages.py`). If the child dies,
the parent (`process.py`) goes on, and raises an UnreadableFile that names the file and the last row
seen. Callers use `reading.py`; a child that has finished without an error reads the next file.

The child has the parent's user and can open the same files: this contains crashes, but it is no
sandbox.
"""
