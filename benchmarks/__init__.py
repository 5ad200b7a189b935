"""Speed and memory, always as a ratio to a bare script or a peer in the same run. ``make bench`` writes RESULTS.md."""
