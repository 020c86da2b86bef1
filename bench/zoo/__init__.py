"""A zoo of trainings: programs, planted faults with healthy twins, and healthy trainings that are no twins."""
