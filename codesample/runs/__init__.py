"""The run folder: append, resume, read, import."""

from codesample.runs.folder import Key, RunFolder
from codesample.runs.foreign import read_samples
from codesample.runs.manifest import Manifest

__all__ = ["Key", "Manifest", "RunFolder", "read_samples"]
