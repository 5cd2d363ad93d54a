"""A request for a chat completion: read and checked as the provider does it, before any limit is
looked at.
"""
