"""The version of the suite, for all that names it: the package, the header of a run, the user agent. The build reads it here."""

__version__ = "0.1.0"
