"""The version, in the one place that the build and the user agent read."""

__version__ = "1.0.0"
