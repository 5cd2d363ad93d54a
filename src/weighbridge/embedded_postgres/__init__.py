"""The PostgreSQL that comes with Weighbridge. It runs in the data directory, is shared by all
processes that use that directory, and is stopped by the last of them.

Start reading at `server.py`; the other modules are its parts. What all of this does to the host,
and which users get no access, is on the page docs/explanation/what-it-does-to-its-host.md.
"""
