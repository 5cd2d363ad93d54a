"""Files become products: readers, header matching, and the checks every row must pass.

The flow: `sniff` (what file is this?) → a reader (`csv_reader`, `xlsx_reader`, `json_reader`, `parquet_reader`; they ask
`columns` which columns to take) → `rows` (checks; `weights`, `countries`, `images`) → checked chunks, which
`store/imports.py` merges into the database. `catalogue` is the entry.
"""
