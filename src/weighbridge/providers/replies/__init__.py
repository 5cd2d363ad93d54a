"""From the body of a chat completion to the text that the steps can read."""
