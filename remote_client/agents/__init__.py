"""One adapter for each kind of agent: how to start it, type to it, and read how its turn ended."""
