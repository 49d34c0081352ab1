"""Input makers, oracles and conformance kits; for tests of codesample and of its plug-ins."""
