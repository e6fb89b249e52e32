"""Study files kept in order: studies renamed, deleted, copied and merged, and opened by what the file alone says."""
