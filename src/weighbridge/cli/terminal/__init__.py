"""The live display of a run, and streams to the terminal that never block."""
