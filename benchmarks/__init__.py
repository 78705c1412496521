"""Measures what we promise about speed, each figure beside a floor or a peer in the same run; asserts nothing."""
