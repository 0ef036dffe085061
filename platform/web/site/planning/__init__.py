"""Pages around the plan of an event: invitations, copies, calendars, web hooks, unsubscribing."""
