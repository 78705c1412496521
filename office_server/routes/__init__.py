"""The addresses of the REST API, one file per resource."""
