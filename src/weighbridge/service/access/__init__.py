"""Who may use a server, and the record of what they did with it."""
