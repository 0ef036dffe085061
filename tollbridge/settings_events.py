"""Settings of what happens to events by itself (see `events.steps`)."""

from __future__ import annotations

from pydantic import BaseModel, Field

from events.steps import Rules

DAY_MIN = 24 * 60


class EventSettings(BaseModel):
    """Part of `tollbridge.settings.Settings`."""

    event_opens_min: int = Field(
        default=Rules().waiting_min,
        ge=1,
        le=DAY_MIN,
        description="Minutes before the planned start at which an event counts as waiting. People may come "
        "earlier.",
    )
    event_empty_min: int = Field(
        default=Rules().empty_min,
        ge=1,
        le=30 * DAY_MIN,
        description="Minutes after which an event ends by itself when everybody left after its start.",
    )
    event_grace_min: int = Field(
        default=Rules().grace_min,
        ge=1,
        le=30 * DAY_MIN,
        description="Minutes after its planned end at which an event ends by itself when nobody is there.",
    )
    event_overtime_min: int = Field(
        default=Rules().overtime_min,
        ge=1,
        le=30 * DAY_MIN,
        description="Minutes after its planned end at which an event, or a session of a permanent room, ends "
        "by itself whoever is there: a forgotten telephone must not cost for days.",
    )

    @property
    def event_rules(self) -> Rules:
        """As the scheduler takes them. Raises ValueError when they contradict each other."""
        return Rules(
            waiting_min=self.event_opens_min,
            empty_min=self.event_empty_min,
            grace_min=self.event_grace_min,
            overtime_min=self.event_overtime_min,
        )
