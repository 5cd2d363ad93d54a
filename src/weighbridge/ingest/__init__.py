"""Files become products: readers, columns, values, and the checks every row must pass.

The flow: `formats/` (what file is this? its cells as text) asks `columns/` (which column is which
field?); `shops/` makes one row a product; `survey` looks at all rows and decides decimal signs and
units; `checking/` reads each cell with `values/` and gives checked chunks, which `store/imports.py`
merges into the database. `report` counts what goes by. `catalogue` is the entry.
"""
