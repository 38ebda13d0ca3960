"""The embedded conforming server, its planted faults and legal variants."""
