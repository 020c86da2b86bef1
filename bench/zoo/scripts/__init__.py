"""Trainings written as scripts, with the mistakes that are made in them, one file a kind of data; those of the last files are held out."""

from zoo.scripts import clinic, farm, market, mistakes, observatory, physics, pictures, registers, tokens, vibrations, weather, workshop
from zoo.scripts.base import SCRIPTS, Mistake, Script, Training

__all__ = [
    "SCRIPTS",
    "Mistake",
    "Script",
    "Training",
    "clinic",
    "farm",
    "market",
    "mistakes",
    "observatory",
    "physics",
    "pictures",
    "registers",
    "tokens",
    "vibrations",
    "weather",
    "workshop",
]
