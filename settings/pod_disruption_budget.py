"""``podDisruptionBudget`` of a service."""

from settings.quantities import IntOrPercent
from settings.section import Section


class PodDisruptionBudgetSettings(Section):
    """PodDisruptionBudget of each version."""

    max_unavailable: IntOrPercent = 1
    """Maximum number of pods that an eviction, such as a node drain, may make unavailable."""
