"""Engines that are served elsewhere and asked over HTTP; importing this loads no HTTP library."""
