"""What people look at on a terminal: tables, progress, and what is at hand."""
