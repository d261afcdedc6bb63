"""Programs that generate parts of the documents from code and records."""
