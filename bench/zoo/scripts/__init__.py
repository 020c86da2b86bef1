"""Trainings written as scripts, with the mistakes that are made in them, one file a kind of data."""

from zoo.scripts import (
    airport,
    brewery,
    clinic,
    farm,
    harbour,
    market,
    mistakes,
    observatory,
    physics,
    pictures,
    registers,
    studio,
    tokens,
    vibrations,
    weather,
    workshop,
)
from zoo.scripts.base import SCRIPTS, Mistake, Script, Training

__all__ = [
    "SCRIPTS",
    "Mistake",
    "Script",
    "Training",
    "airport",
    "brewery",
    "clinic",
    "farm",
    "harbour",
    "market",
    "mistakes",
    "observatory",
    "physics",
    "pictures",
    "registers",
    "studio",
    "tokens",
    "vibrations",
    "weather",
    "workshop",
]
