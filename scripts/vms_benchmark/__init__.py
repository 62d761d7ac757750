"""Benchmark of VM rescheduling: rows, runs, page."""
