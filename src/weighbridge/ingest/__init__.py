"""Files become products: readers, header matching, and the checks every row must pass."""
