"""Train a heuristic of VM rescheduling."""

from __future__ import annotations

import sys

from training import command

EXAMPLES = """\
examples:
  a quarter of an hour on two cores:
      python scripts/train_vms.py scripts/configs/vms_score.toml runs/vms
  try the result:
      cpsched generate vms --pms 280 --seed 3 --output vms.json
      cpsched solve vms.json --max-moves 50 --method policy --weights runs/vms/best.safetensors
"""

if __name__ == "__main__":
    sys.exit(command.main("vms", __doc__ or "", EXAMPLES))
