"""Learned dispatching and placement policies (the one layer that imports torch)."""

if __name__ != "cpsched.agents":
    raise ImportError(f"import this package as cpsched.agents, not as {__name__}")
