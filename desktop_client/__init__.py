"""The window and the tray icon of a developer's machine: what the client there does, and the person's hand on it.

It speaks to a running client by its local socket alone; of `remote_client` it imports no more than that takes.
"""
