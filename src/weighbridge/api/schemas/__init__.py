"""The documents that the API takes and gives."""
