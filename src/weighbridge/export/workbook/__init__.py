"""The workbook for people: a summary, the products, and all that adds up to their figures."""
