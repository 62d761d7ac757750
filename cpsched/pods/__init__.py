"""Pod packing: pending pods, running pods that may move, nodes; lexicographic by priority."""
