"""The command line: ``cpsched solve | validate | instances | generate | bench``."""

from __future__ import annotations

from cpsched.cli.app import app, main

__all__ = ["app", "main"]
