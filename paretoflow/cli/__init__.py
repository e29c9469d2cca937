"""The command line: one module per verb, imported only when the verb is used.

How to add a verb: write `cli/<verb>.py` with a function `<verb>` whose docstring is its help, and
add its line to `VERBS` in `main`. A verb parses and prints; the layers below do the work.
"""
