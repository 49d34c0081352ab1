"""The rules by which the text of tests is read: which of them can be split from their program."""
