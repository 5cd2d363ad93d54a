"""The PostgreSQL that comes with Weighbridge: started in the data directory, shared by processes,
stopped by the last.

`server.py` tells the story; the other modules are its parts. What all of this does to the host, and
whom it keeps out, is on the page docs/explanation/what-it-does-to-its-host.md.
"""
