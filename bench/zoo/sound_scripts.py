"""All healthy trainings of the scripts that are no twins, those held out included."""

from zoo.scripts import (
    healthy_academy,
    healthy_brewery,
    healthy_clinic,
    healthy_farm,
    healthy_harbour,
    healthy_hospital,
    healthy_market,
    healthy_orchard,
    healthy_questions,
    healthy_shipyard,
    healthy_teams,
    healthy_threads,
    healthy_tundra,
)
from zoo.scripts.healthy import SOUND

__all__ = [
    "SOUND",
    "healthy_academy",
    "healthy_brewery",
    "healthy_clinic",
    "healthy_farm",
    "healthy_harbour",
    "healthy_hospital",
    "healthy_market",
    "healthy_orchard",
    "healthy_questions",
    "healthy_shipyard",
    "healthy_teams",
    "healthy_threads",
    "healthy_tundra",
]
