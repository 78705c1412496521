"""`python -m remote_client [--ready-line]`: runs the client until it is told to stop."""

import sys

from shared.starting import loading

with loading():
    from remote_client.process import main

if __name__ == "__main__":
    sys.exit(main())
