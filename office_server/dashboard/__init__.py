"""The office's web pages: what people see and do. They act by the API's own routes, never around them.

`mount` puts them into the server; `frame` is what all pages share; each page is one file in `pages/`.
"""
