"""Pure: when the next call may go, and what to do when one fails."""
