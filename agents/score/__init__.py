"""Small learned scores on kernels of their own: policies without torch, and their training."""
