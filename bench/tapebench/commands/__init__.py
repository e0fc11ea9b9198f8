"""The benches, one file each: its options, its cells, its tables."""
