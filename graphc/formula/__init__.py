"""Formulas: gradients derived in closed form, written with the user's own names."""
