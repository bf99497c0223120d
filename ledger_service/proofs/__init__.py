"""The proof kernel and offline verifier: every format that is hashed or signed, made and checked.

Nothing here does I/O, reads a clock, draws randomness or logs; `__main__.py` alone touches files and the time.
Besides Python it needs only `cryptography`. README.md says what travels where.
"""
