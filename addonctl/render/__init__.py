"""Words: every report format. Pure; the only package that turns values into sentences."""
