"""What a sweep YAML may say: frozen pydantic models with no behaviour, and their loader.

One tagged union per family; every entry is `{type: …}` and its defaults are the vetted setting. The
docstring under a field becomes the JSON schema's description. To add a plug-in, join its family's
union here, add the module named by the tag in the family's package, one line in that package's
table, and an example in the family's contract test.
"""
