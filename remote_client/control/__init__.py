"""The client's socket for the people at its machine: what it tells them and what they may have it do."""
