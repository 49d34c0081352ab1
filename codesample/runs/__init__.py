"""The run folder: append, resume, read, import, export."""
