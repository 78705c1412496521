"""The `semo` command: wires the parts together and speaks to people; holds no logic of its own."""
