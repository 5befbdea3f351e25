"""How fast it is, and what it costs: `make bench`. Figures are ratios of one run; see docs/performance.md."""
