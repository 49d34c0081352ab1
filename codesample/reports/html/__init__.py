"""A run as one page that a browser shows: figures, charts, and every problem with every candidate."""

from codesample.reports.html.page_writing import page_of, write_page

__all__ = ["page_of", "write_page"]
