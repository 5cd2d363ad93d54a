"""What happens to the rows of a shop's export before they are checked."""
