"""The doctor: what stands between a target and a run of its checks, looked at step by step before anything is spent."""
