"""Reads and checks a request for a chat completion as OpenAI does, before the limits are
checked.
"""
