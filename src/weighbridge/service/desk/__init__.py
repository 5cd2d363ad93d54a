"""What an analyst does with figures: explain, correct, compare and review them."""
