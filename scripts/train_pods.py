"""Train a placement policy for pods."""

from __future__ import annotations

import sys

from training import command

EXAMPLES = """\
examples:
  the small score, four minutes on two cores:
      python scripts/train_pods.py scripts/configs/pods_score.toml runs/pods
  the graph network, a quarter of an hour on one core:
      python scripts/train_pods.py scripts/configs/pods_graph.toml runs/graph
  try the result:
      cpsched generate pods --seed 7 --output pods.jsonl
      cpsched solve pods.jsonl --method policy --weights runs/pods/best.safetensors
"""

if __name__ == "__main__":
    sys.exit(command.main("pods", __doc__ or "", EXAMPLES))
