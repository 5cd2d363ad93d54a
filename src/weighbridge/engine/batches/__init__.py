"""The batch lane: questions that travel in files, half the price, within a day."""
