"""The SQLite file of studies: opened, checked, migrated, written and read back."""
