"""The exam: cases, metrics, run records, reports and public benchmarks."""
