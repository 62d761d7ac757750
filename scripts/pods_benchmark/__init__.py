"""The parts of ``scripts/benchmark_pods.py``."""
