"""What crosses between the sandbox's processes, and how those are started."""
