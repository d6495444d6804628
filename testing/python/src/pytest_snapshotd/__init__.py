"""Runs snapshotd for tests: a daemon of one's own with a clock that stands still until it is moved."""

from .daemon import Refused, Snapshotd
from .levers import LeverRefused

__all__ = ["LeverRefused", "Refused", "Snapshotd"]
