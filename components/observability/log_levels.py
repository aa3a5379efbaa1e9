"""Levels of log lines, and how loggers spell them."""

LEVEL_SPELLINGS = {
    "trace": ("trace", "trc", "-8", "10"),
    "debug": ("debug", "dbg", "-4", "-1", "20"),
    "info": ("info", "information", "inf", "notice", "0", "30"),
    "warn": ("warn", "warning", "wrn", "1", "4", "40"),
    "error": ("error", "err", "2", "3", "8", "50"),
    "fatal": (
        *("fatal", "ftl", "critical", "crit", "alert", "emerg", "emergency", "panic", "dpanic"),
        *("5", "12", "60"),
    ),
}
"""Spellings of levels, and the numbers of slog (-4 to 12), zap (-1 to 5) and Bunyan (10 to 60).

4 is warn of slog and panic of zap. It means warn here, because zap writes names.
"""
LEVEL_OF_SPELLING = {
    spelling: level for level, spellings in LEVEL_SPELLINGS.items() for spelling in spellings
}
"""Level of each spelling."""
