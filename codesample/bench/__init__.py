"""Everything that measures, and nothing that the product needs."""
