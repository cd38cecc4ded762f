"""Benchmarks: one script a claim, printing our figure beside its peer's as ratios of one run."""
