"""What the simulated model says: read from the question, by rules, and damaged on purpose."""
