"""The commands of `conformance`, one module each: `add` declares its options, and what it runs."""
