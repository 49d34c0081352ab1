"""What people look at: terminal tables, HTML, plots."""
