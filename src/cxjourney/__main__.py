"""`python -m cxjourney` is the `cxjourney` command."""

from __future__ import annotations

import sys

from cxjourney.cli import main

if __name__ == "__main__":
    sys.exit(main())
