"""The planted faults and legal variants, one module per subject."""
