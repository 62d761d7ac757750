"""Instance files: formats, the shipped library with its best-known bounds, generators."""

if __name__ != "cpsched.instances":
    raise ImportError(f"import this package as cpsched.instances, not as {__name__}")
