"""Options of learned methods."""

from __future__ import annotations

from typing import Annotated

import typer

from cpsched import learned
from cpsched.errors import InputError

_PANEL = "Learned methods: policy, beam and hybrid"

Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        metavar="N",
        help="Solutions that the policy makes: the greedy one, others drawn; of a beam its width. "
        "policy:N says the same.",
        show_default="1, beam 8, hybrid 32",
        rich_help_panel=_PANEL,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="NAME|FILE",
        help="Shipped weights, or a file that training has written.",
        show_default="those shipped for the family",
        rich_help_panel=_PANEL,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="T",
        help="Of the draws: near 0 all are greedy, the larger the more even.",
        show_default="the weights' own",
        rich_help_panel=_PANEL,
    ),
]


def inference(
    method: str,
    samples: int | None,
    weights: str | None,
    temperature: float | None,
) -> learned.Inference | None:
    """What the options ask of a policy, None if *method* asks none.

    InputError if they ask something and it does not.
    """
    options = {
        "--samples": samples,
        "--weights": weights,
        "--temperature": temperature,
    }
    if learned.is_learned(method):
        return learned.Inference(samples, weights, temperature)
    for name, value in options.items():
        if value is not None:
            raise InputError(
                f"{name} is for the methods policy, beam and hybrid, not for {method}"
            )
    return None
