"""What both sides agree on: ids, states, payloads, errors. No I/O, and no import of our other packages."""
