"""What an OPD writes: schema v1, its faults with file, line and column, its canonical form."""
