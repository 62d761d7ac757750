"""Machine reassignment (ROADEF/EURO challenge 2012): move processes so that machines are used well.

``instance`` is the problem, ``check`` its rules and cost without a solver, ``model`` the CP-SAT
model, ``anneal`` the local search, ``portfolio`` the methods.
"""
