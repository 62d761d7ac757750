"""The rows of the agents' benchmark, their runs, and the page."""
