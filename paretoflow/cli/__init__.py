"""The command line: one module per verb, imported only when its verb is asked for.

How to add a verb: write `cli/<verb>.py` with a function `<verb>` whose docstring is its help, and
add its line to `VERBS` in `main`. A verb parses and prints; what it does lives in the layers below.
"""
