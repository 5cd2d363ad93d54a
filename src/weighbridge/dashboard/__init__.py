"""The web pages: one module and one folder of templates for each page, on the same services as the
API and the command line.
"""
