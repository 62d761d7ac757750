"""Train a placement policy for pods."""

from __future__ import annotations

import sys

from training import command

EXAMPLES = """\
examples:
  a quarter of an hour on one core:
      python scripts/train_pods.py scripts/configs/pods_graph.toml runs/pods
  try the result:
      cpsched generate pods --seed 7 --output pods.jsonl
      cpsched solve pods.jsonl --method policy --weights runs/pods/best.safetensors
"""

if __name__ == "__main__":
    sys.exit(command.main("pods", __doc__ or "", EXAMPLES))
