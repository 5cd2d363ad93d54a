"""The pages for people: one module and one template folder per page, over the same services as API
and CLI.
"""
