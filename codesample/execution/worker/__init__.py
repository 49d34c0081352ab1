"""The worker: a trusted process, started by exec, that runs tests against programs it does not trust."""
