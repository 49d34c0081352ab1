"""An engine, a task and a reranker that codesample finds by their entry points."""

__version__ = "1.0"
