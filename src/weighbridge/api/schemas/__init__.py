"""The request and response schemas."""
