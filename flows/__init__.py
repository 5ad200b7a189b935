"""The roadmap as Prefect flows, and the command line that starts them.

Five flows bear the names of the five milestones; ``lifecycle`` joins them, ``maintenance`` is the loop afterwards. This is the home of Prefect
and the only place that knows all other packages.
"""
