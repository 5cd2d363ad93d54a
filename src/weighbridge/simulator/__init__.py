"""The simulated provider: answers over HTTP like OpenAI, and counts every call in its own books."""
