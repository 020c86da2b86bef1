"""Trainings written as scripts, with the mistakes that are made in them, one file a kind of data; those of the later files are held out."""

from zoo.scripts import market, mistakes, physics, pictures, registers, tokens, vibrations, weather
from zoo.scripts.base import SCRIPTS, Mistake, Script, Training

__all__ = [
    "SCRIPTS",
    "Mistake",
    "Script",
    "Training",
    "market",
    "mistakes",
    "physics",
    "pictures",
    "registers",
    "tokens",
    "vibrations",
    "weather",
]
