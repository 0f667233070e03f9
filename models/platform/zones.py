"""Which time zone data this process uses: that of the tzdata wheel, whose version the lock file pins."""

import zoneinfo


def use_packaged_time_zones() -> None:
    """Take zones from the tzdata wheel alone; each composition root calls this before it does anything else.

    Python prefers the operating system's files, and two processes on two images could disagree about a deadline. The variable
    PYTHONTZPATH does the same only for an interpreter that starts with it. A zone that was loaded before stays in the cache: hence the
    second line.
    """
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
