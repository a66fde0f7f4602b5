"""What HTML reports share: the page, its styles, tables and drawings, numbers in words."""
