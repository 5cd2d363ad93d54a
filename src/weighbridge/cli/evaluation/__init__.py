"""The commands `evaluate` and `prompts`, with which figures and answers are checked."""
