"""The sections of the Settings page, one module each: made in the place where they are shown, then `build`."""
