"""The harness plans the units of a run, measures them in worker processes, and stores results.

A run passes through `plan` (which units), `run` (which are missing), `workers` or `cluster`,
`measure` (one unit, with `memory`) and `store` (one file for each result, in a `folder`).
"""
