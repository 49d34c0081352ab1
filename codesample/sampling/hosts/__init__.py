"""One prompt over several processes: each keeps a share of its keys, and all draw the same tokens."""
