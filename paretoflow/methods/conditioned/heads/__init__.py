"""One output head for each objective on a shared backbone, mixed when it is asked.

layout  where the heads lie in an adapter, and the adapter of a fresh run
mixing  a model whose heads answer in the shares that are asked for
folder  what an adapter folder says about its heads; a mixture as a folder of its own
"""
