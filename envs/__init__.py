"""Gymnasium environments built over any Formulation (the one layer that imports gymnasium)."""

if __name__ != "cpsched.envs":
    raise ImportError(f"import this package as cpsched.envs, not as {__name__}")
