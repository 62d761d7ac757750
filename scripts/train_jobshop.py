"""Train a dispatching policy for job shops."""

from __future__ import annotations

import sys

from training import command

EXAMPLES = """\
examples:
  the small score, half an hour on two cores:
      python scripts/train_jobshop.py scripts/configs/jobshop_score.toml runs/score
  one minute, to see it work:
      python scripts/train_jobshop.py scripts/configs/jobshop_score.toml runs/try --time-limit 60
  try the result:
      cpsched solve ta71 --method policy --weights runs/score/best.safetensors
"""

if __name__ == "__main__":
    sys.exit(command.main("jobshop", __doc__ or "", EXAMPLES))
