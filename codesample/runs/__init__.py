"""The run folder: append, resume, read."""

from codesample.runs.artefacts import Artefacts
from codesample.runs.folder import Key, RunFolder
from codesample.runs.manifest import Manifest
from codesample.runs.scores import MemberScores, ScoreOrigin

__all__ = ["Artefacts", "Key", "Manifest", "MemberScores", "RunFolder", "ScoreOrigin"]
