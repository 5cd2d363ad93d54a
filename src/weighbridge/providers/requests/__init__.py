"""What goes out: what each model and server takes, and the body that follows from it."""
