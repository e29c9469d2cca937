"""The vocabulary of ParetoFlow: values, contracts, identities and errors.

It imports the standard library and numpy only.

Letters used in every docstring: n points, m objectives, k proposals, b batch, g generations per
prompt, t tokens. `scores` are raw, in the user's units and direction, shape (m,) or (n, m); `gains`
are oriented so that larger is better; only `front.orient` converts between them. `weights` has
shape (m,) and lies on the simplex.
"""
