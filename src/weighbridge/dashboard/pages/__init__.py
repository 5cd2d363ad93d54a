"""One module for each page. A page asks a service and fills a template."""
