"""A run as one page that a browser shows: figures, charts, and every problem with every candidate."""
