"""Tells what an agent in a terminal did, from what it shows, what its hooks say and how it ends. No I/O, no clock."""
