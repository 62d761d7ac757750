"""Pictures of solutions: the Gantt chart of a schedule, clusters before and after.

matplotlib (the extra ``plot``) is imported only when something is drawn, through ``Figure``
objects: no display, no global state.
"""

from __future__ import annotations

from cpsched.plot.common import FORMATS as FORMATS
from cpsched.plot.common import render as render
from cpsched.plot.common import require_matplotlib as require_matplotlib
from cpsched.plot.fragments import fragments as fragments
from cpsched.plot.fragments import fragments_of_result as fragments_of_result
from cpsched.plot.gantt import gantt as gantt
from cpsched.plot.gantt import gantt_of_result as gantt_of_result
from cpsched.plot.gantt import job_colors as job_colors
from cpsched.plot.pods import before_after as before_after
from cpsched.plot.pods import before_after_of_result as before_after_of_result
