"""Commands of the analyst: explain, correct, hand over."""
