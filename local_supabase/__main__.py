"""`python -m local_supabase --data DIR --port N`: serves DIR until it is told to stop."""

import sys

from shared.starting import loading

with loading():
    from local_supabase.process import main

if __name__ == "__main__":
    sys.exit(main())
