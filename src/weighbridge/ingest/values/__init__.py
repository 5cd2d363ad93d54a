"""What a single cell says: numbers, weights, countries, currencies, pictures.

Pure, but for the files of pictures.
"""
