"""The session host: a small process of its own that keeps the PTYs, and what a client needs to start and use it.

What runs in the host imports the seam `remote_client.terminals`, ptyprocess and the standard library, nothing heavier.
"""
