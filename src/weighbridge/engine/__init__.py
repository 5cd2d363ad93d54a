"""The shell that performs what the core decides."""
