"""Parts of ``scripts/benchmark_environment.py``."""
