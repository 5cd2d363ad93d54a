"""Which column of a file is which field: names, headers, exports of shops."""
