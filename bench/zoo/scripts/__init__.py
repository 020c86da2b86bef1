"""Trainings written as scripts, with the mistakes that are made in them: the held-out part of the zoo, one file a kind of data."""

from zoo.scripts import mistakes
from zoo.scripts.base import SCRIPTS, Mistake, Script, Training

__all__ = ["SCRIPTS", "Mistake", "Script", "Training", "mistakes"]
