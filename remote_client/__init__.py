"""The client on a developer's machine: takes commands from the table and runs them in terminals."""
