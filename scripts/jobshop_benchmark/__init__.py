"""Benchmark of cpsched against other job-shop solvers; see ``scripts/benchmark_jobshop.py``."""
