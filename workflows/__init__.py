"""Time passes: deterministic processes that wait for news or for an instant, then have an activity act."""
