"""Spec tasks: a plan in documents that a person approves, then work sessions, until all of it is done."""
