"""Benchmarks of Slipway, Helm and kubectl."""
