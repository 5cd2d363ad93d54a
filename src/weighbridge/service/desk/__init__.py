"""What an analyst does with a figure: look into it, correct it, hand it over."""
