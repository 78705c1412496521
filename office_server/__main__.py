"""`python -m office_server [--ready-line]`: runs one office server until it is told to stop."""

import sys

from shared.starting import loading

with loading():
    from office_server.process import main

if __name__ == "__main__":
    sys.exit(main())
