"""A package, so that its office ends with the last of its tests instead of idling beside all others."""
