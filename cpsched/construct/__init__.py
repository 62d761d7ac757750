"""Construct: decide a formulation step by step, propagating after every decision."""

from cpsched.construct.compile import Construction as Construction
from cpsched.construct.compile import compile_formulation as compile_formulation
from cpsched.construct.decisions import assignment_decisions as assignment_decisions
from cpsched.construct.decisions import formulation_of as formulation_of
from cpsched.construct.decisions import schedule_decisions as schedule_decisions
from cpsched.construct.state import Frame as Frame
from cpsched.construct.state import Outcome as Outcome
from cpsched.construct.state import State as State
