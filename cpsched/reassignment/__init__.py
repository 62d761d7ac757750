"""Machine reassignment (ROADEF/EURO challenge 2012): move processes to use machines well.

``instance`` is the problem, ``check`` its rules and cost without a solver, ``model`` the CP-SAT
model, ``anneal`` the local search, ``portfolio`` the methods.
"""
