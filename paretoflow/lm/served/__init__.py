"""Generation on servers: vLLM beside the worker, or elsewhere.

client    requests to a server, and the meaning of its failures
facts     version, base and abilities of a server, before anything is spent
process   a server that the worker starts, which ends with it
adapters  an adapter on the servers for as long as it answers
sampler   the `Sampler`: tokens from the servers, log-probabilities from the worker's own model
setup     from a spec to a sampler that has been tried
"""
