"""``python -m cpsched``: the same as the ``cpsched`` command."""

from __future__ import annotations

from cpsched.cli import main

if __name__ == "__main__":
    main()
