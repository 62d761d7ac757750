"""cpsched: constraint programming and reinforcement learning for scheduling and placement."""
