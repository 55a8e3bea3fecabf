"""Printers of the loop language, and the machinery that compiles what they print."""
