"""`testbed bench`: switches side by side in one run, by ratios only (docs/performance.md says why)."""
