"""A package, so that its office and its browser end with the last of its tests."""
