"""Pure: which products share a call, and what a call will take."""
