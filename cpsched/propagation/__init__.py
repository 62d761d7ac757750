"""Propagation: reads a ``CpModel`` and keeps the domains of its variables under decisions."""

from cpsched.propagation.network import Network as Network
from cpsched.propagation.propagator import Failure as Failure
from cpsched.propagation.propagator import Propagator as Propagator
from cpsched.propagation.reader import InfeasibleModelError as InfeasibleModelError
from cpsched.propagation.reader import InvalidModelError as InvalidModelError
from cpsched.propagation.reader import UnsupportedConstraintError as UnsupportedConstraintError
from cpsched.propagation.reader import read_network as read_network
from cpsched.propagation.rules import DisjunctiveRule as DisjunctiveRule
