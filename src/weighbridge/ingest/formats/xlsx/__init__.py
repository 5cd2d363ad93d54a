"""Workbooks: the package, the texts and formats, the rows, the reader."""
