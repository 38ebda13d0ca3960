"""An application's own requests as probes: read from a file that anybody recorded, and judged like every other."""
