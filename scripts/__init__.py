"""Developer commands. Each is at most a hundred lines; run them as `python -m scripts.NAME`."""
