"""Is it real? Statistics of optimised strategies: numbers in, numbers out; no jobs, no files."""
