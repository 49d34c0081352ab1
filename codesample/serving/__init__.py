"""Many callers, one model: sampling from event loops, threads and services, in one running batch."""
