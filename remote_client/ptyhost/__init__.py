"""Keeps PTYs. In the client's own process for now; nothing here imports the rest of the client but the seam."""
