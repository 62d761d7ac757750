"""A placement made executable: ordered evictions and bindings, and their replay."""

from cpsched.pods.ordering import make_plan
from cpsched.pods.simulate import simulate
from cpsched.pods.steps import Action, NoPlanError, Plan, PlanError, Step

__all__ = ["Action", "NoPlanError", "Plan", "PlanError", "Step", "make_plan", "simulate"]
