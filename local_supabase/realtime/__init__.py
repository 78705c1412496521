"""The embedded gateway's `/realtime/v1`: the real server's frames over a stream of the database's changes."""
