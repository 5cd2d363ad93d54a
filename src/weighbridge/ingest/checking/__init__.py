"""The checks every row must pass: raw text in, products, rejected rows and notes out.

Only code, name and description can reject a row (`required.py`). Every other cell that cannot be
used costs only itself and leaves a note (`optional.py`). `rows.py` joins the two.
"""
