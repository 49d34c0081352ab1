"""Which keys of a stored prompt are read: policies, what runs them, and what they cost and miss."""
