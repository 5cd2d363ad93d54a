"""What the words mean: frozen records without behaviour beyond their invariants."""
