"""One module for each page, which calls services and fills in templates."""
