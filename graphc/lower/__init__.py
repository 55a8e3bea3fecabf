"""From stages to loops: the loop language, fusion, contractions, the plan of a program."""
