"""Lets `python -m semo` stand for the `semo` command."""

from semo.cli import main

main()
