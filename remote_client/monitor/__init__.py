"""Tells what an agent in a terminal did from what it shows, says by its hooks, and how it ends. Pure: no I/O, no clock."""
